#include "rag/law/articles.h"

#include <doctest/doctest.h>

#include "rag/index_fakes.h"

using namespace frugal;

namespace {

constexpr const char* kCp = "br/codigo-penal";
constexpr const char* kCdc = "br/codigo-de-defesa-do-consumidor";

Provision article(std::string law, std::string number, std::string paragraph = {}) {
  return {std::move(law), std::move(number), std::move(paragraph), {}, {}};
}

using Provisions = std::vector<Provision>;

}  // namespace

TEST_CASE("named_articles gives each article of a question once, and skips a law without an article") {
  const std::string question = "Código Penal: art. 72, art. 75 e de novo o art. 72 do CP";
  const Provisions named = named_articles(find_provisions(question, testing::few_laws()));
  CHECK(named == Provisions{article(kCp, "72"), article(kCp, "75")});
  CHECK(named_articles({}).empty());
  CHECK(named_articles(find_provisions("o Código Penal", testing::few_laws())).empty());
}

TEST_CASE("named_laws gives each law that is named without an article once") {
  const auto laws = [](std::string_view question) {
    return named_laws(find_provisions(question, testing::few_laws()));
  };
  CHECK(laws("O CDC, a LGPD e de novo o CDC") == std::vector<std::string>{kCdc, "br/lgpd"});
  CHECK(laws("art. 72 do CP").empty());
  CHECK(laws("No CDC, o que diz o art. 18?") == std::vector<std::string>{kCdc});
}

TEST_CASE("articles are compared by number and law, not by their parts; an empty law matches any law") {
  CHECK(is_same_article(article(kCp, "72", "1"), article(kCp, "72", "2")));
  CHECK(is_same_article(article("", "72"), article(kCp, "72")));
  CHECK_FALSE(is_same_article(article(kCp, "72"), article("", "72")));
  CHECK_FALSE(is_same_article(article(kCp, "72"), article(kCdc, "72")));
  CHECK_FALSE(is_same_article(article(kCp, "72"), article(kCp, "75")));
  CHECK_FALSE(is_same_article(article(kCp, ""), article(kCp, "")));  // a law without an article
}

TEST_CASE("provisions contain an article if one of them is that article or a part of it") {
  const Provisions provisions{article(kCdc, "71"), article(kCdc, "72", "1")};
  CHECK(contains_article(provisions, article(kCdc, "72")));
  CHECK(contains_article(provisions, article("", "71")));
  CHECK_FALSE(contains_article(provisions, article(kCp, "72")));
  CHECK_FALSE(contains_article({}, article(kCp, "72")));
}

TEST_CASE("another article counts if it is of the same or an unknown law and the article asked for is missing") {
  const Provisions asked{article(kCdc, "72")};
  CHECK(contains_other_article(Provisions{article(kCdc, "75")}, asked));
  CHECK(contains_other_article(Provisions{article("", "75")}, asked));
  CHECK(contains_other_article(Provisions{article("", "72")}, asked));  // its law is unknown
  CHECK_FALSE(contains_other_article(Provisions{article(kCp, "75")}, asked));
  CHECK_FALSE(contains_other_article(Provisions{article(kCdc, "75"), article(kCdc, "72")}, asked));
  CHECK_FALSE(contains_other_article(Provisions{article(kCdc, "")}, asked));
  CHECK_FALSE(contains_other_article({}, asked));
  CHECK_FALSE(contains_other_article(Provisions{article(kCdc, "75")}, {}));
  // If two articles are asked for, one of them does not stand in for the other.
  CHECK(contains_other_article(Provisions{article(kCdc, "72")}, Provisions{article(kCdc, "72"), article(kCdc, "75")}));
}

TEST_CASE("a mention must have the law that is asked for, or any law if none is") {
  const LawTable laws = testing::few_laws();
  CHECK(mentions_article("Ver o art. 72 do CP.", Provisions{article(kCp, "72")}, laws));
  CHECK(mentions_article("Ver o art. 72 do CP.", Provisions{article("", "72")}, laws));
  CHECK_FALSE(mentions_article("Ver o art. 72.", Provisions{article(kCp, "72")}, laws));
  CHECK_FALSE(mentions_article("Ver o art. 75 do CP.", Provisions{article(kCp, "72")}, laws));
  CHECK_FALSE(mentions_article("72 dias de multa", Provisions{article("", "72")}, laws));
  CHECK_FALSE(mentions_article("Ver o art. 72 do CP.", {}, laws));
}
