// A text that begins inside an article shows neither its number nor whether "VIII –" is of the caput or of a paragraph,
// and find_legal_marks() takes items and letters as marks inside an article only. The text is therefore read below the
// label of an article, and the provision that it begins in is the one among those that it holds from which reading
// gives exactly these. If none does, nothing is located.
#include "rag/law/provision_text.h"

#include <algorithm>
#include <set>
#include <string>

#include "rag/law/legal.h"

namespace frugal {
namespace {

Provision without_law(Provision provision) {
  provision.law.clear();
  return provision;
}

bool is_part_of(const Provision& part, const Provision& whole) {
  const auto agrees = [](const std::string& asked, const std::string& held) { return asked.empty() || asked == held; };
  if (part.article != whole.article) return false;
  // An inciso of the caput has no paragraph; one of § 1º is no part of it.
  if (whole.paragraph.empty() && !(whole.item.empty() && whole.letter.empty()) && !part.paragraph.empty()) return false;
  return agrees(whole.paragraph, part.paragraph) && agrees(whole.item, part.item) && agrees(whole.letter, part.letter);
}

void enter(LegalPosition& position, const Provision& provision) {
  using Level = LegalMark::Level;
  position.enter({Level::article, provision.article, 0, 0});
  if (!provision.paragraph.empty()) position.enter({Level::paragraph, provision.paragraph, 0, 0});
  if (!provision.item.empty()) position.enter({Level::item, provision.item, 0, 0});
  if (!provision.letter.empty()) position.enter({Level::letter, provision.letter, 0, 0});
}

}  // namespace

ProvisionText::ProvisionText(std::string_view text, std::span<const Provision> held) : text_(text) {
  std::set<Provision> wanted;
  for (const Provision& provision : held) wanted.insert(without_law(provision));
  for (const Provision& start : wanted) {
    const std::string label = "Art. " + start.article + ".\n";
    const auto shift = static_cast<uint32_t>(label.size());
    std::vector<LegalMark> marks = find_legal_marks(label + std::string(text));
    if (!marks.empty()) marks.erase(marks.begin());  // the label
    LegalPosition position;
    enter(position, start);
    std::vector<Opening> openings;
    std::set<Provision> found;
    if (marks.empty() || marks.front().line > shift) found.insert(start);
    for (const LegalMark& mark : marks) {
      position.enter(mark);
      openings.push_back({*position.provision(), mark.begin - shift, mark.line - shift});
      found.insert(openings.back().provision);
    }
    if (found != wanted) continue;
    openings_ = std::move(openings);
    return;
  }
}

std::optional<ProvisionRange> ProvisionText::range(const Provision& provision, bool with_parts) const {
  const Provision asked = without_law(provision);
  const auto opens = std::find_if(openings_.begin(), openings_.end(),
                                  [&](const Opening& opening) { return opening.provision == asked; });
  if (opens == openings_.end()) return std::nullopt;
  const auto next = std::find_if(opens + 1, openings_.end(), [&](const Opening& opening) {
    return !with_parts || !is_part_of(opening.provision, asked);
  });
  size_t end = next == openings_.end() ? text_.size() : next->line;
  while (end > opens->begin && std::string_view(" \t\r\n").find(text_[end - 1]) != std::string_view::npos) --end;
  return ProvisionRange{opens->begin, static_cast<uint32_t>(end)};
}

std::optional<ProvisionRange> ProvisionText::whole(const Provision& provision) const {
  return range(provision, true);
}

std::optional<ProvisionRange> ProvisionText::head(const Provision& provision) const {
  return range(provision, false);
}

std::optional<Provision> ProvisionText::at(uint32_t byte) const {
  const auto next =
      std::find_if(openings_.begin(), openings_.end(), [&](const Opening& opening) { return opening.line > byte; });
  return next == openings_.begin() ? std::nullopt : std::optional((next - 1)->provision);
}

std::vector<Provision> provisions_above(const Provision& provision) {
  std::vector<Provision> above;
  if (provision.item.empty() && provision.letter.empty()) return above;
  above.push_back({provision.law, provision.article, provision.paragraph, {}, {}});
  if (!provision.item.empty() && !provision.letter.empty())
    above.push_back({provision.law, provision.article, provision.paragraph, provision.item, {}});
  return above;
}

}  // namespace frugal
