import NextLink from "next/link";
import type { ComponentProps } from "react";

/** A link inside the app. Nothing is prefetched, because its pages differ only in the query. */
export function Link(props: ComponentProps<typeof NextLink>) {
  return <NextLink prefetch={false} {...props} />;
}
