#include "rag/quote/quote_span.h"

#include <algorithm>
#include <optional>

#include "base/ascii.h"
#include "rag/law/provision_text.h"
#include "rag/text/words.h"

namespace frugal {
namespace {

// Shorter answers to a question ("Yes.") come with the sentence behind them, and that comes with them.
constexpr size_t kMaxCurtWords = 2;

class Quoter {
 public:
  Quoter(const PassageParts& parts, std::span<const Provision> held, TextRange span, uint32_t max_bytes,
         bool whole_list)
      : parts_(parts), held_(held), span_(span), max_bytes_(max_bytes), whole_list_(whole_list) {}

  std::vector<TextRange> run() {
    if (parts_.count() == 0) return {};
    first_ = parts_.at(span_.begin);
    last_ = std::max(first_, parts_.at(std::max(span_.end, span_.begin + 1) - 1));
    if (!move_to_statement()) return {};
    if (!held_.empty() && quote_provision()) return std::move(ranges_);
    quote_sentences();
    return std::move(ranges_);
  }

 private:
  // A span that begins in a question or a heading stands for the statement after it.
  bool move_to_statement() {
    const auto names_answer = [&](size_t part) {
      return parts_.role(part) == PartRole::question || parts_.role(part) == PartRole::heading;
    };
    if (names_answer(last_)) {
      const std::optional<size_t> answer = parts_.answer_to(last_);
      if (!answer) return false;
      first_ = last_ = *answer;
      span_ = parts_.range(*answer);
    }
    while (first_ < last_ && !is_quotable(first_)) ++first_;
    return is_quotable(first_);
  }

  bool is_quotable(size_t part) const {
    return parts_.role(part) == PartRole::statement || parts_.role(part) == PartRole::layout;
  }

  // --- laws ---

  bool quote_provision() {
    const ProvisionText law(parts_.text(), held_);
    std::optional<Provision> provision = law.at(span_.begin);
    if (!provision) return false;
    if (whole_list_) provision = list_around(law, *provision);
    std::optional<ProvisionRange> own = law.head(*provision);
    // A label that comes twice stands for its first place.
    if (own->end <= span_.begin || own->begin >= span_.end) return false;
    const std::optional<Provision> behind = law.at(span_.end - 1);
    if (behind && *behind != *provision) own->end = std::max(own->end, law.head(*behind)->end);
    if (own->end - own->begin > max_bytes_) return false;
    for (const Provision& above : provisions_above(*provision))
      if (const auto head = law.head(above); head && head->end <= own->begin)
        add({with_emphasis(head->begin), head->end});
    add(without_tail({with_emphasis(own->begin), with_parts(law, *provision, own->end)}));
    return true;
  }

  // The provision whose list an item belongs to, which becomes the span; the item itself if there is none that fits.
  Provision list_around(const ProvisionText& law, const Provision& item) {
    const std::vector<Provision> above = provisions_above(item);
    if (above.empty()) return item;
    const auto lead = law.head(above.back()), own = law.head(item);
    if (!lead || lead->end > own->begin || own->end - lead->begin > max_bytes_ || span_.end > own->end) return item;
    if (!ends_with_colon(parts_.text().substr(lead->begin, lead->end - lead->begin))) return item;
    span_ = {lead->begin, lead->end};
    return above.back();
  }

  // A label's begin with the marks before it: "**§ 3º** São" is not quoted as "§ 3º** São".
  uint32_t with_emphasis(uint32_t begin) const {
    while (begin > 0 && (parts_.text()[begin - 1] == '*' || parts_.text()[begin - 1] == '_')) --begin;
    return begin;
  }

  // Where a provision that ends with a colon ends with as many of its parts as fit.
  uint32_t with_parts(const ProvisionText& law, const Provision& provision, uint32_t end) const {
    const auto whole = law.whole(provision), head = law.head(provision);
    const uint32_t begin = whole->begin;
    if (!ends_with_colon(parts_.text().substr(begin, head->end - begin))) return end;
    while (end < whole->end) {
      const auto next = law.at(static_cast<uint32_t>(parts_.text().find_first_not_of(" \t\r\n*_#>-", end)));
      const auto part = next ? law.head(*next) : std::nullopt;
      if (!part || part->end <= end || part->end > whole->end || part->end - begin > max_bytes_) break;
      end = part->end;
    }
    return end;
  }

  // Without the headings and names that follow a provision in the text.
  TextRange without_tail(TextRange range) const {
    for (size_t last = parts_.at(range.end - 1); parts_.range(last).begin > range.begin; --last) {
      const PartRole role = parts_.role(last);
      if (role != PartRole::heading && role != PartRole::closing && role != PartRole::links) break;
      range.end = parts_.range(last - 1).end;
    }
    return range;
  }

  // --- other texts ---

  void quote_sentences() {
    std::vector<size_t> leads = leads_of(first_);
    if (whole_list_ && !leads.empty() && parts_.range(last_).end - parts_.range(leads.back()).begin <= max_bytes_) {
      first_ = last_ = leads.back();
      leads.pop_back();
    }
    for (const size_t lead : leads) add(parts_.range(lead));
    if (follows_curt_answer(first_)) --first_;
    if (first_ == last_ && parts_.question_of(first_)) answer_at_length();
    if (first_ == last_ && parts_.introduces(last_)) last_ = last_of_list(last_);
    add({leads.empty() ? parts_.begin_of_words(first_) : parts_.range(first_).begin, parts_.range(last_).end});
  }

  bool is_curt(size_t part) const { return split_words(parts_.words(part)).size() <= kMaxCurtWords; }

  bool follows_curt_answer(size_t part) const {
    return part > 0 && parts_.question_of(part - 1) && is_curt(part - 1) && part < parts_.block_end(part - 1);
  }

  void answer_at_length() {
    if (is_curt(first_) && last_ + 1 < parts_.block_end(first_) && is_quotable(last_ + 1)) ++last_;
  }

  // The parts that introduce the lists which an item stands in, outermost first.
  std::vector<size_t> leads_of(size_t item) const {
    std::vector<size_t> leads;
    for (size_t i = item; i-- > 0 && parts_.is_item(item);) {
      if (parts_.role(i) == PartRole::note) continue;
      const bool is_outer = !parts_.is_item(i) || parts_.is_deeper(item, i);
      if (!is_outer) continue;
      if (parts_.introduces(i)) leads.insert(leads.begin(), i);
      item = i;
    }
    return leads;
  }

  // The last item, of those that fit, in the list that a part introduces; without a list, the part that it introduces.
  size_t last_of_list(size_t lead) const {
    size_t last = lead;
    for (size_t i = lead + 1; i < parts_.count(); ++i) {
      if (parts_.role(i) == PartRole::note) continue;
      const bool belongs = parts_.is_item(i) && (!parts_.is_item(lead) || parts_.is_deeper(i, lead));
      if (!belongs || parts_.range(i).end - parts_.range(first_).begin > max_bytes_) break;
      last = i;
    }
    const size_t next = lead + 1;
    const bool fits = next < parts_.count() && parts_.range(next).end - parts_.range(first_).begin <= max_bytes_;
    return last == lead && fits && !parts_.is_item(next) && is_quotable(next) ? next : last;
  }

  // --- ranges ---

  // Joins the range with the one before if nothing stands between them.
  void add(TextRange range) {
    if (!ranges_.empty()) {
      TextRange& before = ranges_.back();
      if (range.begin < before.end) range.begin = before.end;
      if (range.begin >= range.end) return;
      const std::string_view between = parts_.text().substr(before.end, range.begin - before.end);
      if (split_words(between).empty() && range.end - before.begin <= max_bytes_) {
        before.end = range.end;
        return;
      }
    }
    ranges_.push_back(bounded(range));
  }

  // A range that is too long is cut so that it holds the span's first bytes, at a space behind the span if there is
  // one.
  TextRange bounded(TextRange range) const {
    const std::string_view text = parts_.text();
    if (range.end - range.begin <= max_bytes_) return range;
    if (span_.end > range.begin + max_bytes_ && span_.begin >= range.begin && span_.begin < range.end)
      range.begin = span_.begin;
    if (range.end - range.begin <= max_bytes_) return range;
    range.end = range.begin + max_bytes_;
    const size_t space = text.find_last_of(" \n\t", range.end);
    if (space != std::string_view::npos && space > range.begin && space >= span_.end)
      range.end = static_cast<uint32_t>(space);
    while (range.end > range.begin && is_continuation(text[range.end])) --range.end;
    return range;
  }

  const PassageParts& parts_;
  std::span<const Provision> held_;
  TextRange span_;
  uint32_t max_bytes_;
  bool whole_list_;
  size_t first_ = 0, last_ = 0;  // parts
  std::vector<TextRange> ranges_;
};

}  // namespace

std::vector<TextRange> quote_span(const PassageParts& parts, std::span<const Provision> held, TextRange span,
                                  uint32_t max_bytes, bool whole_list) {
  return Quoter(parts, held, span, max_bytes, whole_list).run();
}

}  // namespace frugal
