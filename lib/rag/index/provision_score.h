// Scores how well a provision in a chunk matches one that a question names. Every store uses this score.
#pragma once

#include "rag/law/provision.h"

namespace frugal {

/// The share of the parts named in `asked` (article, law, paragraph, item, letter) that `held` matches: 1 = all. Both
/// must be of the same article. An item matches only in the same paragraph, a letter only in the same item.
float provision_score(const Provision& asked, const Provision& held);

}  // namespace frugal
