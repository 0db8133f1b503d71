"use client";
import { useResource } from "@/realtime/hooks";
import type { Resource } from "@/realtime/resources";
import type { EmbeddingBudget, Throughput } from "@/contract/types";
import { classes } from "@/components/ui/classes";
import { count, money } from "@/components/ui/format";

const REFRESH_MS = 60_000;

export function throughputPath(pipelineId: string): string {
  return `/api/pipelines/${encodeURIComponent(pipelineId)}/throughput`;
}

export function useThroughput(pipelineId: string): Resource<Throughput> {
  return useResource<Throughput>(throughputPath(pipelineId), { refreshMs: REFRESH_MS });
}

const PERIODS: Record<EmbeddingBudget["period"], string> = {
  day: "today",
  month: "this month",
  total: "in all",
};

/** What embedding has cost; nothing where nothing was paid for. */
export function Spending({ pipelineId, className }: { pipelineId: string; className?: string }) {
  const { data } = useThroughput(pipelineId);
  if (!data || (data.total_usage.tokens === 0 && !data.budget)) return null;
  const { usage, total_usage: total, budget } = data;
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
