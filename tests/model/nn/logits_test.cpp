#include "model/nn/logits.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

using namespace frugal;

TEST_CASE("the KL divergence of logits is that of their softmax; argmax takes the first of equals") {
  // Probabilities 1/4, 1/4, 1/2 and 1/2, 1/4, 1/4; logits are free up to a constant, however large.
  const std::vector<float> p{0, 0, std::log(2.0f)}, q{1000 + std::log(2.0f), 1000, 1000};
  CHECK(kl_divergence(p, q) == doctest::Approx(0.25 * std::log(2.0)).epsilon(1e-3));
  CHECK(kl_divergence(p, p) == doctest::Approx(0));
  CHECK(argmax(p) == 2);
  CHECK(argmax(q) == 0);
  CHECK(argmax(std::vector<float>{1, 3, 3}) == 1);
}
