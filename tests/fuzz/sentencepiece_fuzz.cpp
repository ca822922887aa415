// Any bytes as a SentencePiece model of each family: the blob that is built of them opens, or there is an Error.
#include <span>
#include <string>

#include "fuzz/expect.h"
#include "model/format/checkpoint.h"
#include "model/tokenize/tokenizer.h"
#include "model/vocabulary/build_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t num_bytes) {
  frugal::TokenizerSource source;
  source.sentencepiece.assign(reinterpret_cast<const char*>(data), num_bytes);
  source.sentencepiece_file = "fuzz.model";
  if (source.sentencepiece.empty()) return 0;
  for (const char* type : {"llama", "t5", "xlm-roberta"}) {
    source.model_type = type;
    frugal::fuzz::expect_no_bug([&] {
      const std::string blob = frugal::build_tokenizer_blob(source);
      frugal::Tokenizer::open(std::as_bytes(std::span(blob)))->encode("The naïve 词 didn't  cost 1,204 €. ", true);
    });
  }
  return 0;
}
