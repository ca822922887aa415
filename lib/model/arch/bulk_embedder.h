// An embedder that distributes many texts over threads.
#pragma once

#include <memory>

#include "compute/ops/ops.h"
#include "memory/budget.h"
#include "model/format/pack.h"
#include "model/nn/embedder.h"

namespace frugal {

class ThreadPool;

/// Opens an embedder as open_embedder (model/arch/registry.h) does. It distributes many texts over `threads`, each of
/// which runs forward passes of its own, and embeds few texts on `ops`, which must run on `threads`. Borrows all
/// arguments.
std::unique_ptr<Embedder> open_bulk_embedder(const Pack& pack, Ops& ops, ThreadPool& threads, Budget& budget);

}  // namespace frugal
