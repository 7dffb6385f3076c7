"""infinity-emb in an environment of its own: reads a JSON list of texts a line, classifies it, says so.

Run by `tests.bench.peers.infinity` with that environment's Python, as a file: it can import nothing of ours.
"""

from __future__ import annotations

import asyncio
import json
import sys


async def serve(folder: str) -> None:
    from infinity_emb import AsyncEmbeddingEngine, EngineArgs  # type: ignore[import-not-found]

    engine = AsyncEmbeddingEngine.from_args(
        EngineArgs(
            model_name_or_path=folder,
            engine="torch",
            device="cpu",
            batch_size=32,
            bettertransformer=False,  # needs an optimum that is gone
            model_warmup=False,
        )
    )
    async with engine:
        print("ready", flush=True)
        for line in sys.stdin:
            found, _ = await engine.classify(sentences=json.loads(line), raw_scores=False)
            print(len(found), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
