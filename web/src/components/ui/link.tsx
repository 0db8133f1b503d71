import NextLink from "next/link";
import type { ComponentProps } from "react";

/** A link inside the app. Its pages differ only in the query, so none is fetched ahead. */
export function Link(props: ComponentProps<typeof NextLink>) {
  return <NextLink prefetch={false} {...props} />;
}
