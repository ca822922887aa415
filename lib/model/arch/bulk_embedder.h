// An embedder that shares many texts out over threads.
#pragma once

#include <memory>

#include "compute/ops/ops.h"
#include "memory/budget.h"
#include "model/format/pack.h"
#include "model/nn/embedder.h"

namespace frugal {

class ThreadPool;

/// open_embedder (model/arch/registry.h), and many texts at once are shared out: each thread of `threads` runs forwards
/// of its own. `ops` is for few texts; it must run on `threads`. Borrows all; `budget` may be null.
std::unique_ptr<Embedder> open_bulk_embedder(const Pack& pack, Ops& ops, ThreadPool& threads, Budget& budget);

}  // namespace frugal
