// Runs a fuzzer without libFuzzer: the seed corpus, then a bounded number of mutated inputs from a fixed seed, so that
// every compiler and every run of the tests sees the same ones. See hp_fuzzer in CMakeLists.txt.
//
//   NAME_replay CORPUS_DIR RUNS CRASH_FILE
//
// Exit status 0 when all inputs were survived, 2 when there is no seed to start from. A crash ends the process by its
// signal, after the input was written to CRASH_FILE; `NAME_replay CRASH_FILE 0 /dev/null` runs that one again.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr size_t kMaxInput = 16 * 1024;
constexpr uint32_t kSeed = 20240611;

std::string current;  // What the handler writes down.
const char* crash_file = "";

// The input is saved before it runs into its end: only async-signal-safe calls.
void SaveInput(int signal) {
  const int fd = open(crash_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd >= 0) {
    (void)!write(fd, current.data(), current.size());
    close(fd);
  }
  std::signal(signal, SIG_DFL);
  raise(signal);
}

void Run(std::string input) {
  current = std::move(input);
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(current.data()), current.size());
}

std::vector<std::string> ReadSeeds(const std::filesystem::path& path) {
  std::vector<std::filesystem::path> files;
  if (std::filesystem::is_directory(path)) {
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
  } else if (std::filesystem::is_regular_file(path)) {
    files.push_back(path);
  }
  std::sort(files.begin(), files.end());  // The same order everywhere.
  std::vector<std::string> seeds;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return seeds;
}

class Mutator {
 public:
  explicit Mutator(const std::vector<std::string>& seeds) : seeds_(seeds) {}

  std::string Next() {
    std::string input = Pick(seeds_);
    for (size_t n = 1 + Below(6); n > 0; --n) Mutate(input);
    if (input.size() > kMaxInput) input.resize(kMaxInput);
    return input;
  }

 private:
  size_t Below(size_t limit) { return limit == 0 ? 0 : random_() % limit; }
  const std::string& Pick(const std::vector<std::string>& from) { return from[Below(from.size())]; }

  void Mutate(std::string& input) {
    const size_t at = Below(input.size() + 1);
    const size_t length = Below(std::min<size_t>(input.size() - at, 64) + 1);
    switch (Below(8)) {
      case 0:  // flip a bit
        if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << Below(8)));
        break;
      case 1:  // a byte that parsers care about
        input.insert(at, 1, kSpecial[Below(sizeof(kSpecial) - 1)]);
        break;
      case 2:
        input.erase(at, length);
        break;
      case 3:  // repeat a piece: nesting, long tokens
        if (length > 0) {
          const std::string piece = input.substr(at, length);
          for (size_t n = 1 + Below(40); n > 0 && input.size() < kMaxInput; --n) input.insert(at, piece);
        }
        break;
      case 4:
        input.resize(at);
        break;
      case 5: {  // the head of this one, the tail of another
        const std::string& other = Pick(seeds_);
        input = input.substr(0, at) + other.substr(Below(other.size() + 1));
        break;
      }
      case 6:
        if (at < input.size()) input[at] = static_cast<char>(random_());
        break;
      default:  // move a piece elsewhere
        if (length > 0) {
          const std::string piece = input.substr(at, length);
          input.erase(at, length);
          input.insert(Below(input.size() + 1), piece);
        }
    }
  }

  // The terminating zero is one of them.
  static constexpr char kSpecial[] =
      "\"'\\{}[]()<>$`#@%&=+-:;,|!?/*. \t\r\n\xff\x80\x01\x7f"
      "0";
  const std::vector<std::string>& seeds_;
  std::mt19937 random_{kSeed};
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: %s CORPUS_DIR RUNS CRASH_FILE\n", argv[0]);
    return 2;
  }
  crash_file = argv[3];
  const std::vector<std::string> seeds = ReadSeeds(argv[1]);
  if (seeds.empty()) {
    std::fprintf(stderr, "%s: no seed in %s: want at least one file\n", argv[0], argv[1]);
    return 2;
  }
  for (int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTERM}) std::signal(signal, SaveInput);

  for (const std::string& seed : seeds) Run(seed);
  Run("");
  Mutator mutator(seeds);
  const long runs = std::atol(argv[2]);
  for (long i = 0; i < runs; ++i) Run(mutator.Next());
  std::printf("%zu seeds and %ld mutated inputs survived\n", seeds.size(), runs);
  return 0;
}
