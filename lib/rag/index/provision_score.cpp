#include "rag/index/provision_score.h"

namespace frugal {
namespace {

int parts_named(const Provision& reference) {
  return 1 + !reference.law.empty() + !reference.paragraph.empty() + !reference.item.empty() +
         !reference.letter.empty();
}

int parts_matched(const Provision& asked, const Provision& held) {
  const auto same = [](const std::string& a, const std::string& b) { return !a.empty() && a == b; };
  // An inciso belongs to its paragraph: II of § 1 is not II of the caput.
  const bool in_place = asked.paragraph == held.paragraph;
  const bool item = in_place && same(asked.item, held.item);
  return 1 + same(asked.law, held.law) + same(asked.paragraph, held.paragraph) + item +
         ((item || asked.item == held.item) && in_place && same(asked.letter, held.letter));
}

}  // namespace

float provision_score(const Provision& asked, const Provision& held) {
  return static_cast<float>(parts_matched(asked, held)) / static_cast<float>(parts_named(asked));
}

}  // namespace frugal
