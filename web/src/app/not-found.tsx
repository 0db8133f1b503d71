"use client";
import { Compass } from "lucide-react";
import { buttonClass } from "@/components/ui/button";
import { Link } from "@/components/ui/link";
import { OVERVIEW_HREF } from "@/components/ui/links";
import { Empty } from "@/components/ui/notice";

export default function NotFound() {
  return (
    <Empty
      icon={Compass}
      title="There is no such page"
      className="py-24"
      action={
        <Link href={OVERVIEW_HREF} className={buttonClass()}>
          All pipelines
        </Link>
      }
    />
  );
}
