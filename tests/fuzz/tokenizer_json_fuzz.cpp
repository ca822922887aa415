// Any bytes as tokenizer.json, and as vocab.txt: the blob that is built of them opens, or there is an Error.
#include <span>
#include <string>

#include "fuzz/expect.h"
#include "model/format/checkpoint.h"
#include "model/tokenize/tokenizer.h"
#include "model/vocabulary/build_tokenizer.h"

namespace {

void build_and_open(const frugal::TokenizerSource& source) {
  frugal::fuzz::expect_no_bug([&] {
    const std::string blob = frugal::build_tokenizer_blob(source);
    frugal::Tokenizer::open(std::as_bytes(std::span(blob)))->encode("The naïve 词 didn't cost 1,204 €.", true);
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t num_bytes) {
  const std::string text(reinterpret_cast<const char*>(data), num_bytes);
  frugal::TokenizerSource json, words;
  json.tokenizer_json = text;
  words.vocab_txt = text;
  build_and_open(json);
  build_and_open(words);
  return 0;
}
