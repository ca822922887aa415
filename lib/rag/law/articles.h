// Articles compared: which provision is asked for, which a text bears, and which it only speaks of.
// Parts of an article (paragraph, item, letter) do not count here; how many of them match is the index's to score.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "rag/law/provision.h"

namespace frugal {

/// The articles among `found`, each once, in order; laws that are named alone are left out.
std::vector<Provision> named_articles(std::span<const FoundProvision> found);

/// The same article of the same law. A law that `asked` leaves open may be any.
bool is_same_article(const Provision& asked, const Provision& other);

/// One of `borne` is the article that is asked for.
bool contains_article(std::span<const Provision> borne, const Provision& asked);

/// One of `borne` is an article of a law that is asked about, or of a law that is not known, and the one that is asked
/// for is not among them. Art. 75 is no answer to a question about Art. 72.
bool contains_other_article(std::span<const Provision> borne, std::span<const Provision> asked);

/// `text` names one of the articles that are asked for.
bool mentions_article(std::string_view text, std::span<const Provision> asked, const LawTable& laws);

}  // namespace frugal
