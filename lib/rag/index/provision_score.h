// How well a provision that a chunk bears answers to one that a question names. Every store scores by it.
#pragma once

#include "rag/law/provision.h"

namespace frugal {

/// Share of the parts of `asked` that `held` has too, of the same article: 1 = all of them. A part that differs counts
/// as absent. `held` must be of the article that is asked for.
float provision_score(const Provision& asked, const Provision& held);

}  // namespace frugal
