// Reads PDF, office and image files in another program, frugal-extract: its libraries read hostile files, are large,
// and end the process where memory is short. The program is started for the first file and kept for the next ones. It
// has a limit of memory, of CPU time and of output, writes no files and has no network. A file that ends it is an error
// about that file alone: the next one gets a new program. For one thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "memory/budget.h"
#include "model/vision/rgb_image.h"
#include "rag/extract/extract.h"

namespace frugal {

class ExtractionChild {
 public:
  struct Limits {
    std::filesystem::path program;                   // empty: ../libexec/frugal/frugal-extract, from our own folder
    uint64_t memory_bytes = uint64_t(512) << 20;     // without the file; less where the budget has less
    uint64_t min_memory_bytes = uint64_t(64) << 20;  // with less, nothing is read
    uint64_t max_text_bytes = uint64_t(256) << 20;   // of a reply
    std::chrono::seconds cpu_time{60};               // and two seconds for each MiB of the file
  };

  ExtractionChild() : ExtractionChild(Limits()) {}
  explicit ExtractionChild(Limits limits);
  ExtractionChild(const ExtractionChild&) = delete;
  ExtractionChild& operator=(const ExtractionChild&) = delete;
  ~ExtractionChild();

  struct Reply {
    Document document;
    std::string note;
  };
  /// The document in the bytes of a file. Reserves the program's memory in
  /// `budget` while it reads, and calls `hold` with the size of the text before that comes. Throws Error(bad_input) if
  /// the file cannot be read or ends the program, or if there is no program; Error(over_budget).
  /// max_image_pixels: of an image that next_image() gives; larger ones are made smaller. 0: images are not read.
  Reply read(FileKind kind, std::string file, Budget& budget, const std::function<void(uint64_t)>& hold,
             uint64_t max_image_pixels = 0);

  struct Image {
    RgbImage pixels;
    int64_t page = 0;  // from 1; 0 if the format has none
  };
  /// The next image of the file that was read last; nullopt: there is no other. Images that are not taken are dropped
  /// by the next read(). Throws as read().
  std::optional<Image> next_image(Budget& budget);

 private:
  using Clock = std::chrono::steady_clock;
  void start(FileKind kind);
  void reserve(uint64_t file_bytes, Budget& budget);
  [[noreturn]] void fail_as_nonsense();
  void send(const void* bytes, size_t num_bytes);
  void receive(void* bytes, size_t num_bytes);
  std::string receive_text(uint64_t num_bytes);
  void wait_until_ready(short events);
  [[noreturn]] void fail();
  int stop();
  Error ended(int status) const;

  Limits limits_;
  pid_t pid_ = -1;
  FileDescriptor socket_;
  // Of the file that is read:
  FileKind kind_ = FileKind::pdf;
  Reservation memory_;  // of the program, until the file is done
  uint64_t memory_bytes_ = 0;
  uint64_t max_image_pixels_ = 0;  // 0: no image is to come
  uint64_t images_ = 0;            // that came
  std::chrono::seconds cpu_time_{0};
  Clock::time_point deadline_;
  bool timed_out_ = false;
};

}  // namespace frugal
