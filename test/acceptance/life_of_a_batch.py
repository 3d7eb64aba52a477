"""The life of a batch with OpenAI's own Python client, unchanged but for the address: argv is the base URL and a model.

The key comes in OPENAI_API_KEY. Prints one JSON object of what it saw.
"""

import io
import json
import sys
import time

import openai


def main(base_url: str, model: str) -> None:
    client = openai.OpenAI(base_url=base_url, max_retries=0)
    ids = [f"row-{number}" for number in range(1, 31)]
    lines = [
        json.dumps(
            {
                "custom_id": custom_id,
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": {
                    "model": model,
                    "messages": [{"role": "user", "content": f"Say a word. id={custom_id}"}],
                },
            }
        )
        for custom_id in ids
    ]
    uploaded = client.files.create(
        file=("lines.jsonl", io.BytesIO("\n".join(lines).encode())), purpose="batch"
    )
    created = client.batches.create(
        input_file_id=uploaded.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"team": "python"},
    )
    states = [created.status]
    batch = created
    while batch.status not in ("completed", "failed", "expired", "cancelled"):
        time.sleep(0.1)
        batch = client.batches.retrieve(created.id)
        if batch.status != states[-1]:
            states.append(batch.status)

    output = client.files.content(batch.output_file_id).text.splitlines()
    rows = [json.loads(line) for line in output]

    try:
        client.batches.cancel(batch.id)
        cancel_of_finished = None
    except openai.ConflictError as error:
        cancel_of_finished = error.message

    second = client.batches.create(
        input_file_id=uploaded.id, endpoint="/v1/chat/completions", completion_window="24h"
    )
    try:
        cancelled = client.batches.cancel(second.id).status
    except openai.ConflictError:
        cancelled = "completed"
    listed = [one.id for one in client.batches.list(limit=1)]

    streamed = ""
    for chunk in client.chat.completions.create(
        model=model, stream=True, messages=[{"role": "user", "content": "Say a word."}]
    ):
        streamed += (chunk.choices[0].delta.content or "") if chunk.choices else ""

    try:
        client.batches.retrieve("batch_unknown")
        unknown = None
    except openai.NotFoundError as error:
        unknown = error.status_code

    print(
        json.dumps(
            {
                "version": openai.__version__,
                "states": states,
                "counts": batch.request_counts.model_dump(),
                "metadata": batch.metadata,
                "customIds": [row["custom_id"] for row in rows],
                "answers": sum(
                    bool(row["response"]["body"]["choices"][0]["message"]["content"]) for row in rows
                ),
                "cancelOfFinished": cancel_of_finished,
                "cancelled": cancelled,
                "listed": sorted(listed) == sorted([batch.id, second.id]),
                "streamed": streamed != "",
                "unknown": unknown,
                "deleted": client.files.delete(uploaded.id).deleted,
            }
        )
    )


main(*sys.argv[1:])
