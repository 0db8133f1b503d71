import type { NextConfig } from "next";

// In development the API of a running dashboard server is borrowed. The export works at any path: its files are
// found relative to the `<base>` element that the dashboard server adds.
const dashboard = process.env.RAGLIVE_DASHBOARD_URL ?? "http://127.0.0.1:3000";
const development = process.env.NODE_ENV === "development";

const config: NextConfig = {
  trailingSlash: true,
  reactStrictMode: true,
  images: { unoptimized: true },
  devIndicators: false,
  typescript: { ignoreBuildErrors: true }, // `npm run check` finds them; here they would delay every installation
  ...(development
    ? {
        skipTrailingSlashRedirect: true,
        rewrites: () => Promise.resolve([{ source: "/api/:path*", destination: `${dashboard}/api/:path*` }]),
      }
    : { output: "export", assetPrefix: "." }),
};

export default config;
