// Compares provisions by article: the articles that a question asks for, that a text contains, and that a text only
// mentions. Paragraphs, items and letters are ignored here; provision_score() (rag/index) compares them.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rag/law/provision.h"

namespace frugal {

/// The distinct articles in `found`, in order. Laws named without an article are skipped.
std::vector<Provision> named_articles(std::span<const FoundProvision> found);

/// The distinct laws in `found` that are named without an article, in order.
std::vector<std::string> named_laws(std::span<const FoundProvision> found);

/// True if `other` is the article `asked` of the same law. An empty law in `asked` matches every law.
bool is_same_article(const Provision& asked, const Provision& other);

/// True if one of `provisions` is the article `asked`.
bool contains_article(std::span<const Provision> provisions, const Provision& asked);

/// True if, for one of the articles `asked`, `provisions` lacks it but has another article of that law or of an unknown
/// law: Art. 75 does not answer a question about Art. 72.
bool contains_other_article(std::span<const Provision> provisions, std::span<const Provision> asked);

/// True if `text` refers to one of the articles `asked`.
bool mentions_article(std::string_view text, std::span<const Provision> asked, const LawTable& laws);

}  // namespace frugal
