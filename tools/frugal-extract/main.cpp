// frugal-extract: reads PDF and office files for the other tools, which start it (rag/extract/extraction_child.h).
#include <unistd.h>

#include <cstdio>

#include "rag/office/serve_extraction.h"

int main(int argc, char**) {
  if (argc > 1 || ::isatty(0)) {
    std::fputs("frugal-extract reads PDF and office files for rag-index and rag-query, which start it themselves.\n",
               stderr);
    return 2;
  }
  return frugal::serve_extraction(0, 1);
}
