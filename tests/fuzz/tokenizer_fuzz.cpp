// Any bytes as a pack's tokenizer blob: it is refused, or it turns any text into ids of its vocabulary and back.
#include <cstdlib>
#include <span>
#include <string_view>

#include "fuzz/expect.h"
#include "model/tokenize/tokenizer.h"

namespace {

constexpr std::string_view kTexts[] = {"", "The naïve 词 didn't cost 1,204 €.", "<|im_start|>a\n\n\t b[MASK]",
                                       "\xff\xc0\x80 \xe2\x82"};

void use(const frugal::Tokenizer& tokenizer, std::string_view text, bool parse_special) {
  const auto ids = tokenizer.encode(text, parse_special);
  for (const frugal::TokenId id : ids)
    if (id < 0 || id >= tokenizer.vocab_size()) std::abort();
  for (const frugal::Tokenizer::Piece& piece : tokenizer.encode_pieces(text, parse_special))
    if (piece.begin > piece.end || piece.end > text.size()) std::abort();
  tokenizer.decode(ids, parse_special);
  for (const frugal::TokenId id : ids) tokenizer.token_bytes(id);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t num_bytes) {
  frugal::fuzz::expect_no_bug([&] {
    const auto tokenizer = frugal::Tokenizer::open(std::as_bytes(std::span(data, num_bytes)));
    for (const std::string_view text : kTexts) {
      use(*tokenizer, text, false);
      use(*tokenizer, text, true);
    }
    tokenizer->find("[CLS]");
    tokenizer->decode(tokenizer->prefix(), true);
    tokenizer->decode(tokenizer->suffix(), true);
  });
  return 0;
}
