// The phases, live.
import { live } from "./live.js";

const number = new Intl.NumberFormat("en");
const announce = document.querySelector("[data-announce]");

function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB"];
  let at = 0;
  for (; bytes >= 1024 && at < units.length - 1; at += 1) bytes /= 1024;
  return `${bytes.toFixed(bytes < 10 && at ? 1 : 0)} ${units[at]}`;
}

function time(seconds) {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

function show(stage, phase) {
  const part = document.querySelector(`[data-phase="${stage}"]`);
  part.querySelector("[data-count]").textContent = `${number.format(phase.done)}/${number.format(phase.total)}`;
  const bar = part.querySelector("progress");
  bar.max = phase.total || 1;
  bar.value = phase.done;
  const counts = [
    [phase.in_progress, "in progress"], [phase.waiting, "will retry"],
    [phase.failed, "failed"], [phase.skipped, "skipped"],
  ];
  part.querySelector("[data-detail]").textContent = counts
    .map(([count, what]) => `${number.format(count)} ${what}`).join(", ");
  const rate = [];
  if (phase.per_second) rate.push(`${phase.per_second.toFixed(1)} per second`);
  if (phase.bytes_per_second) rate.push(`${size(phase.bytes_per_second)}/s`);
  if (phase.eta_seconds) rate.push(`${time(phase.eta_seconds)} left`);
  part.querySelector("[data-rate]").textContent = rate.join(", ");
}

function showRuns(runs) {
  const list = document.querySelector("[data-runs]");
  list.replaceChildren(
    ...(runs.length ? runs : [null]).map((run) => {
      const item = document.createElement("li");
      item.textContent = run
        ? `${run.command} ${run.alive ? "is at work" : "is dead"}: run ${run.id}, process ${run.pid} on ${run.host}`
        : "None.";
      return item;
    }),
  );
}

live.on("stats", (stats) => {
  for (const [stage, phase] of Object.entries(stats.phases)) show(stage, phase);
  showRuns(stats.runs);
});
live.on("run_ended", (run) => {
  announce.textContent = `${run.command} ended`;
});
