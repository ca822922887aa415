// A model as a setting names it: a pack of this machine, or a model of a remote service; or several, in the order in
// which they are tried.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace frugal {

/// How a service is spoken to (docs/remote.md).
enum class RemoteShape { openai, tei, cohere };

struct ModelEntry {
  enum class Kind {
    pack,    // of this machine
    remote,  // of a service
    none     // "extract" or "none": what works without a model takes its place
  };
  Kind kind = Kind::pack;
  std::string name;  // of a pack, for find_model(), empty for the default one; else as it is written
  RemoteShape shape = RemoteShape::openai;
  std::string url, model;  // of a remote: without the path of a request; empty: the service has one model
};

/// The models that a setting names: "PACK", "openai:URL#MODEL", "tei:URL", "cohere:URL#MODEL", or a list of them with
/// commas, in which "local:PACK" or "local" is a pack and "extract" or "none" may be the last. A text without any of
/// these words is one name of a pack, whatever it contains. Throws Error(usage) for an address that is none, a list
/// with an empty member, two packs, or something behind extract or none. Empty text: an empty list.
std::vector<ModelEntry> parse_model_list(std::string_view setting);

/// True if the list needs a service, or more than one pack by itself.
bool is_remote_list(const std::vector<ModelEntry>& list);

}  // namespace frugal
