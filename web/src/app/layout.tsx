import type { Metadata, Viewport } from "next";
import { Suspense, type ReactNode } from "react";
import { SIGN_IN_SCRIPT } from "@/client/sign-in";
import { SignInWall } from "@/features/access/sign-in-wall";
import { ConnectionBadge } from "@/features/connection/badge";
import { Header } from "@/features/shell/header";
import { THEME_SCRIPT } from "@/features/shell/theme";
import { Commands } from "./commands";
import { Started } from "./started";
import "./globals.css";

export const metadata: Metadata = {
  title: { default: "raglive", template: "%s · raglive" },
  description: "See every document on its way into the search index, live.",
  icons: "./icon.svg",
};

export const viewport: Viewport = {
  width: "device-width",
  initialScale: 1,
  themeColor: [
    { media: "(prefers-color-scheme: light)", color: "#fbfbfc" },
    { media: "(prefers-color-scheme: dark)", color: "#0d0e11" },
  ],
};

export default function RootLayout({ children }: { children: ReactNode }) {
  return (
    <html lang="en" suppressHydrationWarning>
      <head>
        <script dangerouslySetInnerHTML={{ __html: SIGN_IN_SCRIPT }} />
        <script dangerouslySetInnerHTML={{ __html: THEME_SCRIPT }} />
      </head>
      <body>
        <Started>
          <Suspense>
            <Header search={<Commands />} badge={<ConnectionBadge />} />
            <main id="content" className="mx-auto max-w-[1440px] px-4 pt-6 pb-16 sm:px-6">
              <SignInWall>{children}</SignInWall>
            </main>
          </Suspense>
        </Started>
      </body>
    </html>
  );
}
