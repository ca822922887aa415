#include "compute/kernels/kernels.h"

#include <fmt/format.h>

#include "base/error.h"
#include "compute/kernels/isa/tables.h"

namespace frugal::kernels {

const KernelTable& table(Isa isa) {
  if (!supports(isa))
    throw Error(Code::usage, fmt::format("no kernels for '{}' on this machine", to_string(isa)))
        .hint("unset FRUGAL_ISA to use the best that the processor supports");
  switch (isa) {
#if defined(__x86_64__)
    case Isa::avx2:
      return avx2_table();
    case Isa::avx512vnni:
      return avx512vnni_table();
    case Isa::amx:
      return amx_table();
#endif
    default:
      return scalar_table();
  }
}

const KernelTable& active() {
  static const KernelTable& chosen = table(choose_isa());
  return chosen;
}

}  // namespace frugal::kernels
