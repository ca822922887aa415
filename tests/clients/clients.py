"""Unmodified clients of other servers against a running rag-serve. Prints a table and fails if a call does.

usage: clients.py http://127.0.0.1:PORT RAG-SERVE INDEX

Each check is a call as the client's own documentation shows it, and what must hold of its result. Versions are those that
scripts/test-clients installed.
"""
import asyncio
import importlib.metadata
import sys
import urllib.request

URL, SERVER, INDEX = sys.argv[1:4]
EMBEDDER, READER, GENERATOR = "e5-small-enpt", "reader-enpt", "smollm2-135m-instruct"
DOCUMENTS = ["Lisbon is the capital of Portugal.", "A model is mapped, not parsed.", "The cat sat on the mat."]
QUESTION = "What is the capital of Portugal?"
CHECKS = []


def check(package, call):
    def add(function):
        CHECKS.append((package, call, function))
        return function

    return add


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / (sum(x * x for x in a) ** 0.5 * sum(y * y for y in b) ** 0.5)


def is_best_first(vectors, query):
    scores = [cosine(v, query) for v in vectors]
    return scores.index(max(scores)) == 0


def openai_client():
    import openai

    return openai.OpenAI(base_url=URL + "/v1", api_key="none")


@check("openai", "embeddings.create (base64 by default)")
def _():
    data = openai_client().embeddings.create(model=EMBEDDER, input=DOCUMENTS + [QUESTION]).data
    assert [d.index for d in data] == [0, 1, 2, 3]
    assert is_best_first([d.embedding for d in data[:3]], data[3].embedding)


@check("openai", "embeddings.create (float, dimensions)")
def _():
    reply = openai_client().embeddings.create(
        model=EMBEDDER, input=QUESTION, encoding_format="float", dimensions=64)
    assert len(reply.data[0].embedding) == 64 and reply.usage.prompt_tokens > 4


@check("openai", "embeddings.create of token ids is refused with the setting")
def _():
    import openai

    try:
        openai_client().embeddings.create(model=EMBEDDER, input=[[1, 2, 3]])
    except openai.BadRequestError as error:
        assert "check_embedding_ctx_length=False" in str(error)
    else:
        raise AssertionError("accepted")


@check("openai", "chat.completions.create")
def _():
    reply = openai_client().chat.completions.create(
        model=GENERATOR, messages=[{"role": "user", "content": "Say hello."}], max_tokens=8)
    assert reply.choices[0].message.content and 0 < reply.usage.completion_tokens <= 8


@check("openai", "chat.completions.create (stream, usage)")
def _():
    chunks = list(openai_client().chat.completions.create(
        model=GENERATOR, messages=[{"role": "user", "content": "Say hello."}], max_tokens=8, stream=True,
        stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert chunks[-1].usage.total_tokens > 8


@check("openai", "chat.completions.create (model rag, citations)")
def _():
    reply = openai_client().chat.completions.create(
        model="rag", messages=[{"role": "user", "content": "What does quantize-model do?"}])
    assert "[1]" in reply.choices[0].message.content
    assert reply.choices[0].message.citations[0]["quote"]


@check("openai", "models.list")
def _():
    assert {"rag", EMBEDDER} <= {m.id for m in openai_client().models.list()}


@check("openai", "an unknown model is NotFoundError")
def _():
    import openai

    try:
        openai_client().chat.completions.create(model="gpt-9", messages=[{"role": "user", "content": "a"}])
    except openai.NotFoundError:
        return
    raise AssertionError("accepted")


def ollama_client():
    import ollama

    return ollama.Client(host=URL)


@check("ollama", "embed")
def _():
    vectors = ollama_client().embed(model=EMBEDDER, input=DOCUMENTS + [QUESTION]).embeddings
    assert is_best_first(vectors[:3], vectors[3])


@check("ollama", "chat, and chat streamed")
def _():
    messages = [{"role": "user", "content": "Say hello."}]
    whole = ollama_client().chat(model=GENERATOR, messages=messages, options={"num_predict": 8})
    parts = list(ollama_client().chat(model=GENERATOR, messages=messages, options={"num_predict": 8}, stream=True))
    assert whole.message.content == "".join(p.message.content for p in parts)
    assert parts[-1].done and parts[-1].eval_count > 0


@check("ollama", "generate (keep_alive 0, 5m, -1)")
def _():
    for keep_alive in (0, "5m", -1, "-1"):
        reply = ollama_client().generate(
            model=GENERATOR, prompt="Say hello.", options={"num_predict": 4}, keep_alive=keep_alive)
        assert reply.response and reply.done
    ollama_client().generate(model=GENERATOR, prompt="Say hello.", options={"num_predict": 4}, keep_alive="5m")


@check("ollama", "list, ps, show")
def _():
    assert EMBEDDER + ":latest" in {m.model for m in ollama_client().list().models}
    ollama_client().embed(model=EMBEDDER, input="a")
    assert any(m.model.startswith(EMBEDDER) for m in ollama_client().ps().models)
    assert ollama_client().show(EMBEDDER).details.family == "embedder"


@check("langchain-openai", "OpenAIEmbeddings")
def _():
    from langchain_openai import OpenAIEmbeddings

    client = OpenAIEmbeddings(base_url=URL + "/v1", api_key="none", model=EMBEDDER, check_embedding_ctx_length=False)
    assert is_best_first(client.embed_documents(DOCUMENTS), client.embed_query(QUESTION))


@check("langchain-openai", "ChatOpenAI invoke and stream")
def _():
    from langchain_openai import ChatOpenAI

    client = ChatOpenAI(base_url=URL + "/v1", api_key="none", model="rag")
    assert "[1]" in client.invoke("What does quantize-model do?").content
    assert "".join(c.content for c in client.stream("What does quantize-model do?"))


@check("langchain-ollama", "OllamaEmbeddings, ChatOllama")
def _():
    from langchain_ollama import ChatOllama, OllamaEmbeddings

    client = OllamaEmbeddings(base_url=URL, model=EMBEDDER)
    assert is_best_first(client.embed_documents(DOCUMENTS), client.embed_query(QUESTION))
    assert ChatOllama(base_url=URL, model=GENERATOR, num_predict=8).invoke("Say hello.").content


@check("llama-index-embeddings-openai", "OpenAIEmbedding")
def _():
    from llama_index.embeddings.openai import OpenAIEmbedding

    client = OpenAIEmbedding(api_base=URL + "/v1", api_key="none", model_name=EMBEDDER)
    assert is_best_first(client.get_text_embedding_batch(DOCUMENTS), client.get_query_embedding(QUESTION))


@check("llama-index-postprocessor-tei-rerank", "TextEmbeddingInference")
def _():
    from llama_index.core.schema import NodeWithScore, TextNode
    from llama_index.postprocessor.tei_rerank import TextEmbeddingInference

    nodes = [NodeWithScore(node=TextNode(text=d), score=0.1) for d in DOCUMENTS[::-1]]
    ranked = TextEmbeddingInference(base_url=URL, top_n=2, model_name=READER).postprocess_nodes(
        nodes, query_str=QUESTION)
    assert ranked[0].text == DOCUMENTS[0] and len(ranked) == 2


@check("huggingface-api-haystack", "HuggingFaceTEIRanker")
def _():
    from haystack import Document
    from haystack_integrations.components.rankers.huggingface_api import HuggingFaceTEIRanker

    ranked = HuggingFaceTEIRanker(url=URL, top_k=2).run(
        query=QUESTION, documents=[Document(content=d) for d in DOCUMENTS[::-1]])["documents"]
    assert ranked[0].content == DOCUMENTS[0]


@check("haystack-ai", "OpenAIChatGenerator")
def _():
    from haystack.components.generators.chat import OpenAIChatGenerator
    from haystack.dataclasses import ChatMessage
    from haystack.utils import Secret

    client = OpenAIChatGenerator(api_key=Secret.from_token("none"), api_base_url=URL + "/v1", model="rag")
    assert "[1]" in client.run([ChatMessage.from_user("What does quantize-model do?")])["replies"][0].text


@check("cohere", "ClientV2.rerank")
def _():
    import cohere

    reply = cohere.ClientV2("none", base_url=URL).rerank(
        model=READER, query=QUESTION, documents=DOCUMENTS[::-1], top_n=2)
    assert reply.results[0].index == 2 and len(reply.results) == 2


async def use_mcp(session):
    await session.initialize()
    names = {tool.name for tool in (await session.list_tools()).tools}
    assert names == {"search", "ask", "get", "status"}
    asked = await session.call_tool("ask", {"question": "What does quantize-model do?"})
    citation = asked.structured_content["citations"][0]
    got = await session.call_tool("get", {"path": citation["path"], "first_line": citation["line"]})
    assert not got.is_error and got.content[0].text.strip()
    refused = await session.call_tool("get", {"path": "/etc/passwd"})
    assert refused.is_error


@check("mcp", "stdio: initialize, list_tools, ask, get")
def _():
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client

    async def run():
        parameters = StdioServerParameters(command=SERVER, args=["--mcp", "--index", INDEX])
        async with stdio_client(parameters) as (read, write), ClientSession(read, write) as session:
            await use_mcp(session)

    asyncio.run(run())


@check("mcp", "HTTP: initialize, list_tools, ask, get")
def _():
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async def run():
        async with streamable_http_client(URL + "/mcp") as (read, write), ClientSession(read, write) as session:
            await use_mcp(session)

    asyncio.run(run())


@check("prometheus_client", "text_string_to_metric_families of /metrics")
def _():
    from prometheus_client.parser import text_string_to_metric_families

    text = urllib.request.urlopen(URL + "/metrics").read().decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["frugal_server_requests"].samples[0].value > 10


def main():
    failed = 0
    print("| client | version | call | passes |\n|---|---|---|---|")
    for package, call, function in CHECKS:
        try:
            function()
            result = "yes"
        except Exception as error:  # a table with every failure is worth more than the first traceback
            failed += 1
            result = f"NO: {type(error).__name__}: {str(error)[:200]}"
        print(f"| {package} | {importlib.metadata.version(package)} | {call} | {result} |", flush=True)
    sys.exit(1 if failed else 0)


main()
