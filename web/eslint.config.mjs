import reactHooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

// Imports run one way: app -> features -> components -> react -> client -> contract. Client and react
// know nothing of this app, so that they can become packages; features never import each other.
const above = {
  client: ["react", "components", "features", "app"],
  react: ["components", "features", "app"],
  "components/ui": ["client", "react", "components/live", "features", "app"],
  "components/live": ["features", "app"],
  features: ["features", "app"],
};
const APP_PACKAGES = ["next", "next/*", "lucide-react"];
const REACT_PACKAGES = ["react", "react/*", "react-dom", "react-dom/*", "@tanstack/*"];
const packages = { client: [...REACT_PACKAGES, ...APP_PACKAGES], react: APP_PACKAGES };
const relative = { code: "^\\.\\./", tests: "^\\.\\./\\.\\./(?!.*contract/fixtures)" };
const layers = Object.entries(above).flatMap(([layer, forbidden]) => [
  restrict(layer, forbidden, { files: [`src/${layer}/**`], relativeTo: relative.code }),
  restrict(layer, forbidden, { files: [`src/${layer}/**/tests/**`], relativeTo: relative.tests }),
]);

function restrict(layer, forbidden, { files, relativeTo }) {
  const patterns = [
    ...forbidden.map((folder) => ({ group: [`@/${folder}/**`] })),
    { regex: relativeTo, message: "Import from another folder by its @/ path." },
    ...(packages[layer] ? [{ group: packages[layer] }] : []),
  ];
  return { files, rules: { "no-restricted-imports": ["error", { patterns }] } };
}

export default tseslint.config(
  { ignores: [".next/", "out/", "node_modules/", "next-env.d.ts", "src/contract/"] },
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { "react-hooks": reactHooks },
    rules: {
      ...reactHooks.configs.recommended.rules,
      // Fetching on mount says so in the state; there is no server rendering to do it earlier.
      "react-hooks/set-state-in-effect": "off",
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": [
        "error",
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      "@typescript-eslint/no-unused-vars": ["error", { ignoreRestSiblings: true, varsIgnorePattern: "^_" }],
      // The types know neither what changes during an await nor what a server leaves out.
      "@typescript-eslint/no-unnecessary-condition": "off",
    },
  },
  { files: ["**/*.mjs"], ...tseslint.configs.disableTypeChecked },
  ...layers,
);
