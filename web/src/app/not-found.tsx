import { Compass } from "lucide-react";
import { buttonClass } from "@/components/ui/button";
import { Link } from "@/components/ui/link";
import { Empty } from "@/components/ui/notice";

export default function NotFound() {
  return (
    <Empty
      icon={Compass}
      title="There is no such page"
      className="py-24"
      action={
        <Link href="/" className={buttonClass()}>
          All pipelines
        </Link>
      }
    />
  );
}
