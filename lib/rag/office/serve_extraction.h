// The loop of frugal-extract: reads requests (rag/extract/child_protocol.h) and answers them, one after the other.
#pragma once

namespace frugal {

/// Until `in` ends; inside a sandbox. Returns the exit code of the program.
int serve_extraction(int in, int out);

}  // namespace frugal
