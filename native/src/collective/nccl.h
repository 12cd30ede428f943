// Ranks that are GPUs, connected by NCCL.
//
// NCCL sums what lies in a GPU's memory, on a stream; whoever owns that memory and that stream gives them by way of
// Staging. A train step puts its own all-reduce on its own stream with enqueue, and waits with wait.
#pragma once

#include <functional>
#include <memory>

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

class Nccl final : public Communicator {
 public:
  // All ranks call it with the id that one of them made. The connections are made within the deadline, or not at all.
  Nccl(std::unique_ptr<Staging> staging, const NcclId& id, int rank, int size, Deadline deadline);
  ~Nccl() override { close(); }

  const char* name() const override { return "nccl"; }
  void close() override;

  // out[i] = the sum over ranks of in[i], both in the GPU's memory, once the stream gets there; may be captured in a
  // graph. All ranks enqueue the same sums in the same order.
  void enqueue(const void* in, void* out, int64_t count, Element element, NcclStream stream);

  // Waits for work that holds sums until `is_done` says so. Throws Failure, and ends the sums on this rank, where
  // NCCL reports an error, the communicator is aborted, or the deadline is over.
  void wait(const std::function<bool()>& is_done);

 protected:
  void reduce(void* values, int64_t count, Element element) override;
  void wake(const Failure&) override {}
  void report(const Failure&) override { end(); }

 private:
  void require(NcclResult result, const char* function);
  NcclResult state();
  void wait_for(const char* what, const std::function<bool()>& is_done);
  void end();

  const NcclLibrary& nccl_ = nccl_library();
  std::unique_ptr<Staging> staging_;
  NcclComm comm_ = nullptr;
};

}  // namespace rs::collective
