// Where provisions begin and end in texts that were cut out of a law, as chunks are.
#include "rag/law/provision_text.h"

#include <doctest/doctest.h>

#include <string>

using namespace frugal;

namespace {

Provision five(std::string paragraph, std::string item, std::string letter = {}) {
  return {"law", "5", std::move(paragraph), std::move(item), std::move(letter)};
}

std::string bytes(std::string_view text, const std::optional<ProvisionRange>& range) {
  return range ? std::string(text.substr(range->begin, range->end - range->begin)) : "none";
}

}  // namespace

TEST_CASE("an inciso goes from its label to the next, with its alíneas; a head ends where the parts begin") {
  const std::string text =
      "Art. 5º Todos têm direito:\nI – à casa;\nII – à rua, salvo:\na) de noite;\nb) na chuva;\nIII – à praia.\n"
      "§ 1º É proibido:\nI – gritar;\nII – correr.\n";
  const std::vector<Provision> held = {five("", ""),       five("", "1"),      five("", "2"),
                                       five("", "2", "a"), five("", "2", "b"), five("", "3"),
                                       five("1", ""),      five("1", "1"),     five("1", "2")};
  const ProvisionText law(text, held);
  CHECK(bytes(text, law.head(five("", ""))) == "Art. 5º Todos têm direito:");
  CHECK(bytes(text, law.whole(five("", "2"))) == "II – à rua, salvo:\na) de noite;\nb) na chuva;");
  CHECK(bytes(text, law.head(five("", "2"))) == "II – à rua, salvo:");
  CHECK(bytes(text, law.whole(five("", "2", "b"))) == "b) na chuva;");
  CHECK(bytes(text, law.whole(five("", "3"))) == "III – à praia.");
  // II of § 1º is not II of the caput.
  CHECK(bytes(text, law.whole(five("1", "2"))) == "II – correr.");
  CHECK(bytes(text, law.head(five("1", ""))) == "§ 1º É proibido:");
  CHECK(bytes(text, law.whole(five("", "9"))) == "none");
}

TEST_CASE("a text that begins inside an article is read by what it is known to hold") {
  const std::string text = "VIII – oito;\nIX – nove;\n";
  const ProvisionText caput(text, std::vector<Provision>{five("", "8"), five("", "9")});
  CHECK(bytes(text, caput.whole(five("", "9"))) == "IX – nove;");
  CHECK(bytes(text, caput.whole(five("2", "9"))) == "none");
  const ProvisionText paragraph(text, std::vector<Provision>{five("2", "8"), five("2", "9")});
  CHECK(bytes(text, paragraph.whole(five("2", "9"))) == "IX – nove;");
  // What it begins with has no label here.
  const std::string rest = "e mais do inciso sete;\nVIII – oito;\n";
  const ProvisionText cut(rest, std::vector<Provision>{five("", "7"), five("", "8")});
  CHECK(bytes(rest, cut.whole(five("", "7"))) == "none");
  CHECK(bytes(rest, cut.whole(five("", "8"))) == "VIII – oito;");
}

TEST_CASE("nothing is located if the text does not hold what it is said to hold") {
  const std::string text = "VIII – oito;\n";
  CHECK(bytes(text, ProvisionText(text, std::vector<Provision>{five("", "3")}).whole(five("", "8"))) == "none");
  CHECK(bytes(text, ProvisionText(text, {}).whole(five("", "8"))) == "none");
  CHECK(bytes("", ProvisionText("", std::vector<Provision>{five("", "8")}).whole(five("", "8"))) == "none");
}

TEST_CASE("an inciso stands below its paragraph or the caput, an alínea below its inciso as well") {
  CHECK(provisions_above(five("", "")).empty());
  CHECK(provisions_above(five("1", "")).empty());
  CHECK(provisions_above(five("", "2")) == std::vector{five("", "")});
  CHECK(provisions_above(five("1", "2")) == std::vector{five("1", "")});
  CHECK(provisions_above(five("", "2", "b")) == std::vector{five("", ""), five("", "2")});
}

TEST_CASE("a byte is of the provision that states it, from its label on") {
  const std::string text = "Art. 5º Todos:\nI – um;\nII – dois.";
  const ProvisionText law(text, std::vector<Provision>{five("", ""), five("", "1"), five("", "2")});
  const auto at = [&](const char* words) { return law.at(static_cast<uint32_t>(text.find(words))); };
  CHECK(at("Todos")->item.empty());
  CHECK(at("um")->item == "1");
  CHECK(at("dois")->item == "2");
  const std::string rest = "e mais;\nVIII – oito;";
  CHECK_FALSE(ProvisionText(rest, std::vector<Provision>{five("", "7"), five("", "8")}).at(2));
}
