// Folders whose tokenizer is a SentencePiece model.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "base/file.h"
#include "model/format/checkpoint.h"
#include "model/vocabulary/build_tokenizer.h"
#include "support/errors.h"
#include "support/temp_folder.h"

using namespace frugal;
using namespace frugal::testing;
namespace fs = std::filesystem;

namespace {

const fs::path kTests = fs::path(FRUGAL_SOURCE_DIR) / "tests/golden";

// The weights of a T5 with `model` as its tokenizer, under this name, and nothing that says of which class it is.
void make_folder(const fs::path& folder, const std::string& name, const std::string& model) {
  fs::create_directories(folder);
  for (const char* file : {"config.json", "model.safetensors"}) fs::copy(kTests / "t5" / file, folder / file);
  write_file(folder / name, model);
}

std::string llama_model() {
  return read_file(kTests / "tokenizer/spm_llama.model");
}

}  // namespace

TEST_CASE("a model of any of the three names is read where there is no tokenizer.json, and is part of the provenance") {
  const TempFolder folder;
  for (const std::string name : {"sentencepiece.bpe.model", "spiece.model", "tokenizer.model"}) {
    CAPTURE(name);
    const fs::path path = folder / name.substr(0, 6);
    make_folder(path, name, llama_model());
    const auto checkpoint = open_checkpoint(path);
    const TokenizerSource source = checkpoint->tokenizer();
    CHECK(source.sentencepiece == llama_model());
    CHECK(source.model_type == "t5");
    CHECK(source.sentencepiece_file == (path / name).native());
    const auto names_it = [&] {
      const auto files = open_checkpoint(path)->files();
      return std::find(files.begin(), files.end(), path / name) != files.end();
    };
    CHECK(names_it());
    fs::copy(kTests / "t5/tokenizer.json", path / "tokenizer.json");
    CHECK(open_checkpoint(path)->tokenizer().sentencepiece.empty());
    CHECK(!names_it());
  }
}

TEST_CASE("the error for a model that its family does not have names its file, and so does that for a damaged one") {
  const TempFolder folder;
  make_folder(folder / "bpe", "spiece.model", llama_model());
  make_folder(folder / "cut", "spiece.model", llama_model().substr(0, 5000));
  for (const char* part : {"bpe", "cut"}) {
    CAPTURE(part);
    const auto error = error_of([&] { build_tokenizer_blob(open_checkpoint(folder / part)->tokenizer()); });
    REQUIRE(error);
    CHECK(contains(error->message(), (folder / part / "spiece.model").native()));
  }
}
