// Where a part of a law's text states a provision: the bytes from its label on. A quotation of an inciso needs the
// words above it too ("são direitos básicos do consumidor:"), so a provision has a head, which ends where its parts
// begin.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "rag/law/provision.h"

namespace frugal {

/// The bytes [begin, end) of a text, without white space at their ends.
struct ProvisionRange {
  uint32_t begin = 0;
  uint32_t end = 0;
};

/// The provisions of a text that may begin in the middle of an article, as a chunk does. Laws are not compared: the
/// text is of one law.
class ProvisionText {
 public:
  /// `held`: the provisions that the text contains, the one that it begins in among them. Borrows the text.
  ProvisionText(std::string_view text, std::span<const Provision> held);

  /// From the label of the provision to the next one that is no part of it; nullopt if its label is not in the text.
  std::optional<ProvisionRange> whole(const Provision& provision) const;
  /// From the label of the provision to the next provision, a part of it or not.
  std::optional<ProvisionRange> head(const Provision& provision) const;
  /// The provision that states a byte of the text, without its law; nullopt before the first label.
  std::optional<Provision> at(uint32_t byte) const;

 private:
  struct Opening {
    Provision provision;  // with an empty law
    uint32_t begin = 0;   // of its label
    uint32_t line = 0;    // where the text before it ends
  };
  std::optional<ProvisionRange> range(const Provision& provision, bool with_parts) const;

  std::string_view text_;
  std::vector<Opening> openings_;
};

/// The provisions that an inciso or an alínea stands below, outermost first: of "art. 5º, § 1º, II, b" § 1º and its II.
/// Empty for an article or a paragraph.
std::vector<Provision> provisions_above(const Provision& provision);

}  // namespace frugal
