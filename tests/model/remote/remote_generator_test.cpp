#include "model/remote/remote_generator.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <optional>

#include "model/remote/remote_fixture.h"
#include "support/errors.h"

#ifdef FRUGAL_TEST_HTTP

namespace frugal {
namespace {

using namespace testing;

const bool kPluginsAreHere = ::setenv("FRUGAL_PLUGINS", FRUGAL_TEST_HTTP, 1) == 0;

constexpr const char* kEvents = "text/event-stream";
const std::vector<ChatMessage> kMessages = {{"system", "be brief"}, {"user", "say \"olá\"\n"}};

std::string delta(const std::string& text) {
  return "data: {\"choices\":[{\"delta\":{\"content\":\"" + text + "\"},\"finish_reason\":null}]}\n\n";
}
const std::string kStop = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";

struct Written {
  Generation generation;
  std::string streamed;
};

Written write_from(FaultServer& server, const GenerateOptions& options = {}, size_t wanted = 1000) {
  const ModelEntry entry = entry_for(server, "openai");
  const auto generator = make_remote_generator(service_for(entry), entry, 4096);
  Written written;
  written.generation = generator->chat(kMessages, options, [&](std::string_view text) {
    written.streamed += text;
    return written.streamed.size() < wanted;
  });
  return written;
}

TEST_CASE("a chat is asked for and streamed") {
  REQUIRE(kPluginsAreHere);
  FaultServer server([](const ServedRequest&, const ServedConnection& peer) {
    peer.begin_stream(kEvents);
    peer.chunk("data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":null}}]}\n\n");
    for (const char byte : delta("Olá ") + delta("m\\u00fando")) peer.chunk(std::string_view(&byte, 1));
    peer.chunk(kStop + "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":30,\"completion_tokens\":4}}\n\n");
    peer.chunk("data: [DONE]\n\n");
    return peer.end_stream();
  });
  GenerateOptions options;
  options.max_new_tokens = 77;
  options.stop = {"END"};
  const Written written = write_from(server, options);
  CHECK(written.generation.text == "Olá múndo");
  CHECK(written.streamed == "Olá múndo");
  CHECK(written.generation.finish == Finish::stop);
  CHECK(written.generation.prompt_tokens == 30);
  CHECK(written.generation.new_tokens == 4);
  const ServedRequest request = server.last();
  CHECK(request.path == "/v1/chat/completions");
  CHECK(contains(request.body, R"({"model":"m","messages":[{"role":"system","content":"be brief"},)"
                               R"({"role":"user","content":"say \"olá\"\u000a"}],"stream":true)"));
  CHECK(contains(request.body, R"("max_tokens":77,"temperature":0,"stop":["END"])"));
}

TEST_CASE("the length, a sink and a deadline end a text") {
  FaultServer server([](const ServedRequest&, const ServedConnection& peer) {
    peer.begin_stream(kEvents);
    peer.chunk(delta("one two"));
    peer.chunk("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\n");
    return peer.end_stream();
  });
  CHECK(write_from(server).generation.finish == Finish::length);
  CHECK(write_from(server, {}, 3).generation.finish == Finish::cancelled);

  FaultServer slow([](const ServedRequest&, const ServedConnection& peer) {
    peer.begin_stream(kEvents);
    peer.chunk(delta("begun"));
    peer.be_silent();
    return false;
  });
  GenerateOptions options;
  options.deadline_ms = 200;
  const Written written = write_from(slow, options);
  CHECK(written.generation.finish == Finish::deadline);
  CHECK(written.generation.text == "begun");
}

TEST_CASE("every fault of a peer is an error in time") {
  std::vector<Fault> faults = common_faults();
  using R = const ServedRequest&;
  using C = const ServedConnection&;
  const auto stream_of = [](std::string text) {
    return [text](R, C peer) { return peer.begin_stream(kEvents) && peer.chunk(text) && peer.end_stream(); };
  };
  faults.push_back({"nothing", stream_of(": ping\n\n")});
  faults.push_back({"ends without a reason", stream_of(delta("a text"))});
  faults.push_back({"an event that is no JSON", stream_of("data: {\n\n")});
  faults.push_back({"an event of another shape", stream_of("data: {\"choices\":7}\n\n")});
  faults.push_back(
      {"an event that is no UTF-8", stream_of("data: {\"choices\":[{\"delta\":{\"content\":\"\xff\"}}]}\n\n")});
  faults.push_back(
      {"an error within", stream_of(delta("a") + "data: {\"error\":{\"message\":\"out of memory\"}}\n\n")});
  faults.push_back({"an event without end", stream_of("data: " + std::string(900'000, 'x'))});
  faults.push_back({"dies mid-stream", [](R, C peer) {
                      peer.begin_stream(kEvents);
                      peer.chunk(delta("a text"));
                      std::this_thread::sleep_for(std::chrono::milliseconds(20));
                      return peer.reset(), false;
                    }});
  faults.push_back({"stalls mid-stream", [](R, C peer) {
                      peer.begin_stream(kEvents);
                      peer.chunk(delta("a text"));
                      return peer.be_silent(), false;
                    }});
  faults.push_back({"never ends", [](R, C peer) {
                      peer.begin_stream(kEvents);
                      while (peer.chunk(delta(std::string(1000, 'x')))) {
                      }
                      return false;
                    }});
  expect_remote_errors(faults, [](FaultServer& server) {
    const ModelEntry entry = entry_for(server, "openai");
    make_remote_generator(service_for(entry), entry, 4096)->chat(kMessages, {});
  });
}

TEST_CASE("a service that was busy, or was restarted, writes at the next attempt") {
  FaultServer server([](const ServedRequest& request, const ServedConnection& peer) {
    if (request.number == 1) return peer.answer(503, "text/plain", "loading");
    if (request.number == 2) return false;
    peer.begin_stream(kEvents);
    peer.chunk(delta("here") + kStop);
    return peer.end_stream();
  });
  CHECK(write_from(server).generation.text == "here");
  CHECK(server.requests() == 3);
}

TEST_CASE("an exception of the sink passes through") {
  FaultServer server([](const ServedRequest&, const ServedConnection& peer) {
    peer.begin_stream(kEvents);
    peer.chunk(delta("here") + kStop);
    return peer.end_stream();
  });
  const ModelEntry entry = entry_for(server, "openai");
  const auto generator = make_remote_generator(service_for(entry), entry, 4096);
  const TokenSink sink = [](std::string_view) -> bool { throw Error(Code::io, "the screen is gone"); };
  CHECK(message_of([&] { generator->chat(kMessages, {}, sink); }) == "the screen is gone");
}

TEST_CASE("only openai: with a model is a generator") {
  for (const char* name : {"openai:http://h", "tei:http://h#m", "cohere:http://h#m"}) {
    const ModelEntry entry = parse_model_list(name).front();
    CHECK(error_of([&] { make_remote_generator(service_for(entry), entry, 4096); })->code() == Code::usage);
  }
}

}  // namespace
}  // namespace frugal

#endif
