import type { EmbeddingBudget, Throughput } from "@/contract/types";
import { classes } from "@/components/ui/classes";
import { count, money } from "@/components/ui/format";

const PERIODS: Record<EmbeddingBudget["period"], string> = {
  day: "today",
  month: "this month",
  total: "in all",
};

interface SpendingProps {
  throughput: Throughput | null;
  className?: string;
}

/** What embedding has cost; absent while it has cost nothing. */
export function Spending({ throughput, className }: SpendingProps) {
  if (!throughput || (throughput.total_usage.tokens === 0 && !throughput.budget)) return null;
  const { usage, total_usage: total, budget } = throughput;
  const cost = total.cost > 0 ? `, which cost ${money(total.cost)}` : "";
  return (
    <p
      data-testid="spending"
      className={classes("num", className)}
      title={`${count(total.tokens)} tokens embedded so far${cost}`}
    >
      {budget
        ? `${money(budget.spent)} of ${money(budget.amount)} spent on embeddings ${PERIODS[budget.period]}`
        : usage.cost > 0
          ? `${money(usage.cost)} spent on embeddings this month`
          : `${count(usage.tokens)} tokens embedded this month`}
    </p>
  );
}
