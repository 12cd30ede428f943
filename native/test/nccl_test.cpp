// NCCL's life cycle against a fake library: every wait ends, every failure is told, nothing is leaked.
#include <dlfcn.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "check.h"
#include "collective/nccl.h"
#include "collective/nccl_memory.h"

using namespace rs::collective;

namespace {

int& fake(const char* name) {
  static void* const library = dlopen(FAKE_NCCL, RTLD_NOW | RTLD_LOCAL);
  CHECK(library, "%s", dlerror());
  int* variable = static_cast<int*>(dlsym(library, name));
  CHECK(variable, "the fake has no %s", name);
  return *variable;
}

// Host memory, and work that may never be done.
struct HostStaging final : Staging {
  explicit HostStaging(bool hangs) : hangs(hangs) {}
  void use() override {}
  NcclStream stream() override { return this; }
  void* memory(int64_t bytes) override {
    bytes_.resize(static_cast<size_t>(bytes));
    return bytes_.data();
  }
  void copy_in(void* memory, const void* bytes, int64_t count) override { std::memcpy(memory, bytes, static_cast<size_t>(count)); }
  void copy_out(void* bytes, const void* memory, int64_t count) override { std::memcpy(bytes, memory, static_cast<size_t>(count)); }
  bool is_done() override { return !hangs; }

  const bool hangs;
  std::vector<char> bytes_;
};

constexpr Deadline kShort(200), kLong(20000);

std::unique_ptr<Nccl> make(Deadline deadline, bool hangs = false) {
  return std::make_unique<Nccl>(std::make_unique<HostStaging>(hangs), make_nccl_id(), 0, 2, deadline);
}

template <typename F>
Failure failure_of(F f) {
  try {
    f();
  } catch (const Failure& failure) {
    return failure;
  }
  return Failure(Failure::kAborted, -2, "nothing failed");
}

void expect(const Failure& failure, Failure::Kind kind, const std::string& part) {
  CHECK(failure.kind == kind && std::string(failure.what()).find(part) != std::string::npos, "'%s' is not about '%s'",
        failure.what(), part.c_str());
}

void missing() {
  const Failure failure = failure_of([] { load_nccl("/nowhere/libnccl.so.2"); });
  expect(failure, Failure::kBackend, "/nowhere/libnccl.so.2");
  expect(failure, Failure::kBackend, "install libnccl2");
  expect(failure_of([] { load_nccl("libc.so.6"); }), Failure::kBackend, "has no ncclGetVersion");
}

void too_old() {
  fake("fake_version") = 21000;
  expect(failure_of([] { load_nccl(FAKE_NCCL); }), Failure::kBackend, "NCCL 21000 is too old");
  fake("fake_version") = 23007;
}

void works() {
  const auto nccl = make(kLong);
  CHECK(nccl->name() == std::string("nccl") && !fake("fake_bad_config"), "a wrong configuration");
  std::vector<float> values = {1, 2, 3};
  nccl->all_reduce(values.data(), 3, Element::kFloat32);
  CHECK(values[2] == 3, "%g", values[2]);
  int64_t in = 5, out = 0;
  nccl->enqueue(&in, &out, 1, Element::kInt64, nullptr);
  int looks = 0;
  nccl->wait([&] { return ++looks > 1000; });
  CHECK(out == 5 && looks == 1001, "%lld", static_cast<long long>(out));
  nccl->close();
  CHECK(fake("fake_alive") == 0 && fake("fake_aborted") == 0, "not closed");
}

void hangs() {
  fake("fake_hang_at_init") = 1;
  expect(failure_of([] { make(kShort); }), Failure::kTimeout, "ncclCommInitRankConfig was not done within 200 ms");
  fake("fake_hang_at_init") = 0;
  CHECK(fake("fake_alive") == 0 && fake("fake_aborted") == 1, "not aborted");

  const auto nccl = make(kShort, true);
  int64_t value = 1;
  const auto reduce = [&] { nccl->all_reduce(&value, 1, Element::kInt64); };
  expect(failure_of(reduce), Failure::kTimeout, "an all-reduce was not done");
  expect(failure_of(reduce), Failure::kTimeout, "an all-reduce was not done");
  CHECK(fake("fake_alive") == 0 && fake("fake_aborted") == 2, "not aborted");

  const auto enqueued = make(kShort);
  expect(failure_of([&] { enqueued->wait([] { return false; }); }), Failure::kTimeout, "not done within");
  CHECK(fake("fake_alive") == 0 && fake("fake_aborted") == 3, "not aborted");

  fake("fake_hang_at_finalize") = 1;
  make(kShort)->close();
  CHECK(fake("fake_alive") == 0 && fake("fake_aborted") == 4, "not aborted");
  fake("fake_hang_at_finalize") = 0;
}

void fails() {
  const auto nccl = make(kLong);
  fake("fake_fail_at_reduce") = 1;
  int64_t value = 1;
  expect(failure_of([&] { nccl->all_reduce(&value, 1, Element::kInt64); }), Failure::kBackend,
         "ncclAllReduce: unhandled cuda error: the fake failed");
  fake("fake_fail_at_reduce") = 0;

  const auto aborted = make(kLong, true);
  aborted->abort(1, "rank 1 is gone");
  const Failure failure = failure_of([&] { aborted->all_reduce(&value, 1, Element::kInt64); });
  expect(failure, Failure::kAborted, "rank 1 is gone");
  CHECK(failure.rank == 1 && fake("fake_alive") == 0, "rank %d", failure.rank);
}

// Registered and freed in the right order, whoever ends first, and after an abort.
void windows() {
  const auto none_left = [](const char* when) {
    CHECK(fake("fake_windows") == 0 && fake("fake_memory") == 0 && fake("fake_alive") == 0 && fake("fake_disorder") == 0,
          "%s: %d windows, %d pieces of memory, %d communicators are left, %d were ended out of order", when, fake("fake_windows"),
          fake("fake_memory"), fake("fake_alive"), fake("fake_disorder"));
  };
  {
    const auto nccl = make(kLong);
    const auto memory = nccl->window(1000);
    CHECK(memory && memory->get() && fake("fake_windows") == 1, "no window");
    std::memset(memory->get(), 1, 1000);
  }
  none_left("memory first");
  {
    auto nccl = make(kLong);
    const auto memory = nccl->window(1000);
    nccl->close();
    CHECK(fake("fake_windows") == 0 && fake("fake_memory") == 1, "the window outlives its communicator");
  }
  none_left("communicator first");
  {
    const auto nccl = make(kShort);
    const auto memory = nccl->window(1000);
    expect(failure_of([&] { nccl->wait([] { return false; }); }), Failure::kTimeout, "not done within");
    CHECK(fake("fake_windows") == 0 && fake("fake_memory") == 1, "not aborted");
  }
  none_left("after an abort");
  for (const char* lack : {"fake_no_windows", "fake_fail_at_window", "fake_null_window"}) {
    fake(lack) = 1;
    const auto nccl = make(kLong);
    CHECK(!nccl->window(1000), "%s: a window", lack);
    CHECK(fake("fake_windows") == 0 && fake("fake_memory") == 0, "%s: something is left", lack);
    int64_t value = 3;
    nccl->all_reduce(&value, 1, Element::kInt64);
    fake(lack) = 0;
  }
  none_left("without windows");
}

// The fake's other rank always has what this one has.
void times() {
  const auto nccl = make(kLong);
  const double seconds = nccl->time_sums(1024, 10);
  CHECK(seconds > 0 && seconds < 1, "%g s", seconds);
  nccl->agree({{"x", 7}, {"y", -8}});
}

// Ranks that share a process, or a GPU, could wait for each other for ever within graphs.
void captures() {
  const auto first = make(kLong);
  CHECK(first->may_capture(), "one rank");
  {
    const auto second = make(kLong);
    CHECK(!first->may_capture() && !second->may_capture(), "two ranks in a process");
  }
  CHECK(first->may_capture(), "one rank again");
  setenv("NCCL_MULTI_RANK_GPU_ENABLE", "1", 1);
  CHECK(!first->may_capture(), "ranks that share a GPU");
  unsetenv("NCCL_MULTI_RANK_GPU_ENABLE");
}

// Libraries before 2.27 have windows as little as a rank that has one.
void old_library() {
  fake("fake_version") = 22605;
  load_nccl(FAKE_NCCL);
  const auto nccl = make(kLong);
  CHECK(!nccl->window(1000) && fake("fake_memory") == 0, "a window");
  int64_t value = 3;
  nccl->all_reduce(&value, 1, Element::kInt64);
}

}  // namespace

int main(int count, char** arguments) {
  if (count > 1 && std::string(arguments[1]) == "old") return old_library(), 0;
  missing();
  too_old();
  load_nccl(FAKE_NCCL);
  CHECK(nccl_version() == 23007, "%d", nccl_version());
  works();
  hangs();
  fails();
  windows();
  times();
  captures();
  return 0;
}
