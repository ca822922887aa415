// The subcommands of rag-query about sources (docs/tools/rag-query.md): `get` prints lines of an indexed file,
// `cite-check` compares the citations of a saved answer with their files.
#pragma once

#include <string>

#include "app/cli/tool.h"
#include "app/wiring/settings.h"

namespace frugal::cli {

struct SourceCommands {
  std::string place;   // of get; empty: it was not given
  bool now = false;    // get --now
  std::string answer;  // of cite-check; empty: it was not given
};

/// Adds both. Tool::parse() writes their flags into `commands`, which must not move until then.
void declare_sources(Tool& tool, SourceCommands& commands);
/// True if one of them was given.
bool is_given(const SourceCommands& commands);
/// Runs the one that was given, and prints its result. Throws Error(missing) if there is no index, Error(bad_input) for
/// a place that it does not have, Error(verify_failed) if a citation does not hold, Error(over_budget).
int run_sources(const SourceCommands& commands, const Tool& tool, const Settings& settings);

}  // namespace frugal::cli
