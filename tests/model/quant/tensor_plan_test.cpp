#include "model/quant/tensor_plan.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <set>

#include "base/file.h"
#include "model/format/pack.h"
#include "model/quant/tensor_errors.h"
#include "model/quant/tensor_writer.h"
#include "support/errors.h"
#include "support/model_files.h"
#include "support/temp_folder.h"

namespace frugal {
namespace {

using namespace testing;

constexpr uint64_t kPlenty = uint64_t(1) << 30;
constexpr int64_t kRows = 40, kCols = 64;  // not a multiple of 16 rows

Recipe recipe_of(Precision precision) {
  Recipe recipe;
  recipe.precision = precision;
  return recipe;
}

// The bytes of a valid tensor of a GGUF type, with arbitrary codes and small scales.
std::string blocks(uint32_t type, int64_t elements) {
  const int64_t block_bytes = type == kGgmlQ8_0 ? 34 : type == kGgmlQ4_0 ? 18 : 20;
  std::string data;
  for (int64_t block = 0; block < elements / 32; ++block) {
    append_value<uint16_t>(data, static_cast<uint16_t>(0x2000 + block % 97));                         // about 0.008
    if (type == kGgmlQ4_1) append_value<uint16_t>(data, static_cast<uint16_t>(0xa800 + block % 89));  // about -0.03
    for (int64_t i = static_cast<int64_t>(data.size()) % block_bytes; i != 0 && i < block_bytes; ++i)
      data += static_cast<char>((block * 31 + i * 77) & 0xff);
  }
  return data;
}

std::vector<float> ramp(int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) values[i] = 0.01f * static_cast<float>(int(i * 37 % 101) - 50);
  return values;
}

// A checkpoint with one weight "w" of a type, and the model that describes it.
struct OneWeight {
  TempFolder folder;
  std::unique_ptr<Checkpoint> checkpoint;
  ModelPlan model;

  explicit OneWeight(uint32_t type, TensorRole role = TensorRole::linear)
      : OneWeight(type, blocks(type, kRows * kCols), role) {}
  OneWeight(uint32_t type, std::string_view data, TensorRole role = TensorRole::linear) {
    write_file(folder / "m.gguf", GgufBuilder().tensor("w", type, {uint64_t(kCols), uint64_t(kRows)}, data).build());
    checkpoint = open_checkpoint(folder / "m.gguf");
    model.tensors = {{"w", {"absent", "w"}, role, Shape{kRows, kCols}, false, 0}};
  }
  DType planned(Precision precision) const {
    return plan_tensors(*checkpoint, model, recipe_of(precision), false).jobs.at(0).dtype;
  }
  // Writes the pack and returns its bytes.
  std::string write(const TensorPlan& plan, int threads, uint64_t work_bytes) const {
    std::vector<PackWriter::Plan> tensors;
    for (const TensorJob& job : plan.jobs) tensors.push_back({job.spec.name, job.dtype, job.spec.shape, job.spec.role});
    PackWriter writer(folder / "m.pack", tensors, {}, {});
    WriteOptions options;
    options.threads = threads;
    options.work_bytes = work_bytes;
    write_tensors(*checkpoint, plan, writer, options);
    writer.finish();
    return read_file(folder / "m.pack");
  }
};

OneWeight full_precision() {
  return OneWeight(kGgmlF32, bytes_of(ramp(kRows * kCols)));
}

TEST_CASE("a precision gives each role a type that it can have") {
  const OneWeight linear = full_precision();
  CHECK(linear.planned(Precision::int8) == DType::linear_i8);
  CHECK(linear.planned(Precision::int4) == DType::linear_i4);
  CHECK(linear.planned(Precision::fp16) == DType::linear_f16);
  CHECK(linear.planned(Precision::keep) == DType::linear_f32);
  const OneWeight looked_up(kGgmlF32, bytes_of(ramp(kRows * kCols)), TensorRole::embedding);
  CHECK(looked_up.planned(Precision::int8) == DType::i8);
  CHECK(looked_up.planned(Precision::int4) == DType::i8);
  CHECK(looked_up.planned(Precision::fp16) == DType::f16);
  Recipe by_name = recipe_of(Precision::int4);
  by_name.rules.push_back(parse_rule("^w$=int4"));
  CHECK(plan_tensors(*looked_up.checkpoint, looked_up.model, by_name, false).jobs[0].dtype == DType::linear_i4);
  const OneWeight vector(kGgmlF32, bytes_of(ramp(kRows * kCols)), TensorRole::vector);
  CHECK(vector.planned(Precision::int4) == DType::f32);
}

TEST_CASE("a quantised source keeps its groups, bit for bit") {
  for (const uint32_t type : {kGgmlQ8_0, kGgmlQ4_0, kGgmlQ4_1}) {
    const OneWeight source(type);
    const TensorPlan plan = plan_tensors(*source.checkpoint, source.model, recipe_of(Precision::keep), false);
    CHECK(plan.jobs[0].keeps_groups);
    REQUIRE(plan.notes.size() == 1);
    CHECK(contains(plan.notes[0], "without loss"));
    source.write(plan, 1, kPlenty);
    const Pack pack(source.folder / "m.pack");
    const PackedWeight weight = pack.require_linear("w", kRows, kCols);
    std::vector<float> expected(kCols), stored(kCols);
    for (int64_t row = 0; row < kRows; ++row) {
      read_rows_f32(*source.checkpoint->find("w"), row, 1, expected);
      unpack_output(weight, row, stored);
      REQUIRE(stored == expected);
    }
  }
}

TEST_CASE("the bytes do not depend on threads or on the memory limit") {
  for (const Precision precision : {Precision::int8, Precision::int4, Precision::fp16, Precision::fp32}) {
    const OneWeight source = full_precision();
    const TensorPlan plan = plan_tensors(*source.checkpoint, source.model, recipe_of(precision), false);
    const uint64_t least = min_work_bytes(plan);
    const std::string once = source.write(plan, 1, kPlenty);
    CHECK(source.write(plan, 1, least) == once);
    CHECK(source.write(plan, 3, least * 3) == once);
    CHECK(source.write(plan, 4, kPlenty) == once);
    const auto error = error_of([&] { source.write(plan, 1, least - 1); });
    REQUIRE(error);
    CHECK(error->code() == Code::over_budget);
  }
}

TEST_CASE("the measured error is that of the stored weights") {
  const OneWeight source = full_precision();
  for (const auto& [precision, bound] : {std::pair(Precision::int8, 0.5 / 127 / 2 * 1.01),
                                         {Precision::int4, 1.0 / 15 / 2 * 1.05},
                                         {Precision::fp32, 0.0}}) {
    const TensorPlan plan = plan_tensors(*source.checkpoint, source.model, recipe_of(precision), false);
    source.write(plan, 1, kPlenty);
    const Pack pack(source.folder / "m.pack");
    const std::vector<TensorError> errors = measure_errors(*source.checkpoint, plan, pack, 2, {});
    REQUIRE(errors.size() == 1);
    CHECK(errors[0].max_abs <= bound);  // half a step of the coarsest possible scale
    CHECK(errors[0].mean_abs <= errors[0].max_abs);
    CHECK((errors[0].relative_rms > 0) == (precision != Precision::fp32));
  }
}

TEST_CASE("quantising a quantised source to fewer bits is refused unless requested") {
  const OneWeight source(kGgmlQ8_0);
  const auto error =
      error_of([&] { plan_tensors(*source.checkpoint, source.model, recipe_of(Precision::int4), false); });
  REQUIRE(error);
  CHECK(contains(error->message(), "'w' is Q8_0 already"));
  CHECK(contains(error->hint(), "--allow-requantize"));
  CHECK(plan_tensors(*source.checkpoint, source.model, recipe_of(Precision::int4), true).jobs[0].dtype ==
        DType::linear_i4);
  // More bits are allowed, with a note.
  const OneWeight four(kGgmlQ4_1);
  const TensorPlan plan = plan_tensors(*four.checkpoint, four.model, recipe_of(Precision::int8), false);
  CHECK(plan.jobs[0].dtype == DType::linear_i8);
  CHECK(contains(plan.notes.at(0), "Q4_1 is rounded again"));
}

TEST_CASE("a missing tensor or a wrong shape is an error that names the tensor; an optional one is skipped") {
  OneWeight source = full_precision();
  const auto plan = [&] { return plan_tensors(*source.checkpoint, source.model, recipe_of(Precision::int8), false); };
  source.model.tensors.push_back({"b", {"x.bias", "y.bias"}, TensorRole::vector, Shape{3}, true, 0});
  CHECK(plan().jobs.size() == 1);
  source.model.tensors.back().optional = false;
  CHECK(contains(message_of(plan), "no tensor 'x.bias' or 'y.bias'"));
  source.model.tensors.pop_back();
  source.model.tensors[0].shape = Shape{kCols, kRows};
  CHECK(contains(message_of(plan), "'w' is [40, 64], the configuration says [64, 40]"));
}

TEST_CASE("weights that are not finite or that fp16 cannot hold are errors that name tensor and row") {
  std::vector<float> weights = ramp(kRows * kCols);
  const auto error_with = [&](float bad, Precision precision) {
    weights[17 * kCols + 5] = bad;
    const OneWeight source(kGgmlF32, bytes_of(weights));
    const TensorPlan plan = plan_tensors(*source.checkpoint, source.model, recipe_of(precision), false);
    return message_of([&] { source.write(plan, 2, kPlenty); });
  };
  CHECK(contains(error_with(std::nanf(""), Precision::int8), "'w' has a weight that is not a finite number (row 17)"));
  CHECK(contains(error_with(std::numeric_limits<float>::infinity(), Precision::fp32), "not a finite number (row 17)"));
  CHECK(contains(error_with(70000, Precision::fp16), "70000, which fp16 cannot hold (row 17)"));
  CHECK(error_with(70000, Precision::int8) == "no error");
}

TEST_CASE("rows that GGUF permuted come back in Hugging Face's order") {
  // Oracle: the converter's reshape(heads, 2, width / 2).swapaxes(1, 2), written out.
  const int64_t heads = 3, width = 8;
  std::vector<int64_t> file;  // file[i]: the Hugging Face row that lies at row i of the file
  for (int64_t head = 0; head < heads; ++head)
    for (int64_t j = 0; j < width / 2; ++j)
      for (int64_t half = 0; half < 2; ++half) file.push_back(head * width + half * (width / 2) + j);
  TensorSpec spec;
  spec.shape = Shape{heads * width, 4};
  spec.unpermute_heads = heads;
  for (int64_t row = 0; row < heads * width; ++row) CHECK(file[size_t(source_row(spec, row))] == row);
  spec.unpermute_heads = 0;
  CHECK(source_row(spec, 5) == 5);
}

TEST_CASE("the last rule that matches decides; a rule that matches no weight is an error") {
  OneWeight source = full_precision();
  Recipe recipe = recipe_of(Precision::int8);
  recipe.rules.push_back(parse_rule("^w$=int4"));
  recipe.rules.push_back(parse_rule("w=fp16"));
  CHECK(plan_tensors(*source.checkpoint, source.model, recipe, false).jobs[0].dtype == DType::linear_f16);
  CHECK(recipe.to_string() == "dtype=int8; ^w$=int4; w=fp16");
  recipe.rules.push_back(parse_rule("nothing=int8"));
  CHECK(contains(message_of([&] { plan_tensors(*source.checkpoint, source.model, recipe, false); }),
                 "'nothing' matches no weight"));
}

TEST_CASE("errors of rules and precisions list the known names") {
  CHECK(parse_precision("int8") == Precision::int8);
  CHECK(contains(error_of([] { parse_precision("int9"); })->hint(), "keep, int8, int4, fp16, fp32"));
  CHECK(contains(message_of([] { parse_rule("down=auto"); }), "for a whole model"));
  CHECK(contains(error_of([] { parse_auto_target("smallest"); })->hint(), "size, speed, quality"));
  CHECK(contains(message_of([] { parse_rule("down"); }), "not REGEX=DTYPE"));
  CHECK(contains(message_of([] { parse_rule("(=int8"); }), "not a regular expression"));
  const std::string nested = "((((x{1,100}){1,100}){1,100}){1,100})";
  CHECK(contains(message_of([&] { parse_rule(nested + "=int8"); }), "repeats its parts"));
  CHECK(contains(message_of([] { parse_rule("x{99999999999999999999}=int8"); }), "repeats its parts"));
  CHECK_NOTHROW(parse_rule("layers\\.[0-9]{1,3}\\.(up|down){1}=int8"));
  CHECK(contains(message_of([] { parse_rule(std::string(2000, 'a') + "=int8"); }), "1 to 1024 bytes"));
}

}  // namespace
}  // namespace frugal
