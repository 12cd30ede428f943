// Ranks that are GPUs, connected by NCCL.
//
// NCCL sums what lies in a GPU's memory, on a stream; whoever owns that memory and that stream gives them by way of
// Staging. A train step puts its own all-reduce on its own stream with enqueue, and waits with wait.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "collective/communicator.h"
#include "collective/nccl_library.h"

namespace rs::collective {

// Memory of the GPU that this rank uses, and a stream of its: what an engine for GPUs provides.
class Staging {
 public:
  virtual ~Staging() = default;
  // Makes the GPU the calling thread's.
  virtual void use() = 0;
  virtual NcclStream stream() = 0;
  // At least so many bytes, the same memory from call to call while it suffices.
  virtual void* memory(int64_t bytes) = 0;
  // Asynchronous on the stream.
  virtual void copy_in(void* memory, const void* bytes, int64_t count) = 0;
  virtual void copy_out(void* bytes, const void* memory, int64_t count) = 0;
  // Whether all that is on the stream is done. Throws where the GPU has failed.
  virtual bool is_done() = 0;
};

class NcclMemory;

// Something that all ranks must have alike, for the message where they have not.
struct Fact {
  const char* name;
  int64_t value;
};

class Nccl final : public Communicator {
 public:
  // All ranks call it with the id that one of them made. The connections are made within the deadline, or not at all.
  Nccl(std::unique_ptr<Staging> staging, const NcclId& id, int rank, int size, Deadline deadline);
  ~Nccl() override;

  const char* name() const override { return "nccl"; }
  void close() override;

  // out[i] = the sum over ranks of in[i], both in the GPU's memory, once the stream gets there; may be captured in a
  // graph. All ranks enqueue the same sums in the same order.
  void enqueue(const void* in, void* out, int64_t count, Element element, NcclStream stream);

  // Waits for work that holds sums until `is_done` says so. Throws Failure, and ends the sums on this rank, where
  // NCCL reports an error, the communicator is aborted, or the deadline is over.
  void wait(const std::function<bool()>& is_done);

  // NCCL itself does not notice that ranks sum different things: it hangs, or adds what does not belong together. Before
  // they begin, all ranks compare: throws the same Failure on each, with the rank that differs from rank 0. How many
  // facts there are, all must know.
  void agree(const std::vector<Fact>& facts);

  // Whether it is true on all ranks, which all ask at once.
  bool all_have(bool here);

  // Memory on the GPU in a window that all ranks make together, which saves NCCL copies and some sums most of their time.
  // Null on all ranks where some library has no windows, or cannot make this one.
  std::unique_ptr<NcclMemory> window(int64_t bytes);

  // Whether a graph may hold sums: with one rank a process, each on a GPU of its own. Else they may wait for each other
  // for ever.
  bool may_capture() const;

 protected:
  void reduce(void* values, int64_t count, Element element) override;
  double time_reduce(int64_t bytes, int64_t sums) override;
  void wake(const Failure&) override {}
  void report(const Failure&) override { end(); }

 private:
  friend class NcclMemory;

  enum Operation { kSum = 0, kMost = 2 };  // ncclRedOp_t

  template <typename F>
  auto together(F work);
  void compare(const std::vector<Fact>& facts);
  bool is_nowhere_missing(bool here);
  std::unique_ptr<NcclMemory> make_window(int64_t bytes);
  void reduce_words(int64_t* words, int64_t count, Operation operation);
  void reduce_here(void* values, int64_t count, int type, Operation operation);
  void add_to_stream(const void* in, void* out, int64_t count, int type, Operation operation, NcclStream stream);
  void flush(void* memory);
  [[noreturn]] void name_who_differs(const std::vector<Fact>& facts);
  void forget_windows();
  void require(NcclResult result, const char* function);
  NcclResult state();
  void wait_for(const char* what, const std::function<bool()>& is_done);
  void end();

  const NcclLibrary& nccl_ = nccl_library();
  std::unique_ptr<Staging> staging_;
  NcclComm comm_ = nullptr;
  std::vector<NcclMemory*> windows_;  // registered with comm_
};

}  // namespace rs::collective
