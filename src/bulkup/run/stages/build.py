"""The stages of a job, each with its worker. What a job does not do is not even imported."""

from __future__ import annotations

from bulkup.model import Stage
from bulkup.run.job import JobContext
from bulkup.run.limits import RunLimits
from bulkup.run.stages.claims import Claims
from bulkup.run.stages.lazy_embedder import LazyEmbedder
from bulkup.run.stages.runner import StageRunner, StageWorker


def build_stages(job: JobContext, limits: RunLimits, embedder: LazyEmbedder) -> list[StageRunner]:
    """A runner for each stage that the job's batch names, in order; each feeds the next.

    --limit counts what is uploaded, which then goes through all stages; where nothing is uploaded,
    it counts the items of each stage.
    """
    stages = [stage for stage in Stage if stage in job.job.order.stages]
    workers = _workers(job, stages, embedder)
    runners: list[StageRunner] = []
    feeds: Claims | None = None
    for worker in reversed(workers):
        is_limited = worker.stage is Stage.UPLOAD or Stage.UPLOAD not in stages
        runner = StageRunner(job, worker, limits, is_limited=is_limited, feeds=feeds)
        if worker is not workers[0]:
            runner.claims.begin_feed()
        feeds = runner.claims
        runners.insert(0, runner)
    return runners


def _workers(job: JobContext, stages: list[Stage], embedder: LazyEmbedder) -> list[StageWorker]:
    workers: list[StageWorker] = []
    if Stage.UPLOAD in stages:
        from bulkup.run.upload.pipeline import UploadPipeline

        workers.append(UploadPipeline(job))
    if Stage.PROCESS in stages or Stage.EMBED in stages:
        workers += _attempts(job, stages, embedder)
    return workers


def _attempts(job: JobContext, stages: list[Stage], embedder: LazyEmbedder) -> list[StageWorker]:
    from bulkup.run.stages.attempts import Attempts
    from bulkup.run.stages.engine import local_embedding, local_processing
    from bulkup.run.work.variant_cache import VariantCache, best_for_embedding

    attempts: list[StageWorker] = []
    cache = VariantCache(best_for_embedding(job.options.process.variants))
    elsewhere, signer = job.engine, None
    if elsewhere is not None and job.options.sign:
        from bulkup.run.stages.signing import TaskSigner

        signer = TaskSigner(job.requests.store, job.options.process)
    if Stage.PROCESS in stages:
        from bulkup.run.stages.process import ProcessStage

        if elsewhere is not None:
            in_one_pass = embedder if Stage.EMBED in stages else None
            process = ProcessStage(job, elsewhere, in_one_pass, signer)
        else:
            kept = cache if Stage.EMBED in stages else None
            process = ProcessStage(job, local_processing(job, kept), None)
        attempts.append(Attempts(job, process))
    if Stage.EMBED in stages:
        from bulkup.run.stages.embed import EmbedStage

        engine = elsewhere or local_embedding(job, embedder)
        attempts.append(Attempts(job, EmbedStage(job, engine, embedder, cache, signer)))
    return attempts
