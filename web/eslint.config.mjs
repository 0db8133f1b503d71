import reactHooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

// Imports run one way: app -> features -> realtime -> contract. Features never meet.
const layers = [
  { files: ["src/realtime/**"], forbidden: ["@/app/*", "@/features/*", "@/components/*"] },
  {
    files: ["src/components/ui/**"],
    forbidden: ["@/app/*", "@/features/*", "@/realtime/*", "@/components/live/*"],
  },
  { files: ["src/components/live/**"], forbidden: ["@/app/*", "@/features/*"] },
  { files: ["src/features/**"], forbidden: ["@/app/*", "@/features/*"] },
];

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
  ...layers.map(({ files, forbidden }) => ({
    files,
    rules: {
      "no-restricted-imports": ["error", { patterns: forbidden.map((group) => ({ group: [group] })) }],
    },
  })),
);
