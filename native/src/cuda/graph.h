// Work recorded once and launched many times as a whole: a CUDA graph.
#pragma once

#include <cuda_runtime.h>

#include <utility>

#include "cuda/error.h"

namespace rs::cuda {

class Graph {
 public:
  Graph() = default;
  ~Graph() {
    if (executable_) cudaGraphExecDestroy(executable_);
  }
  Graph(Graph&& other) noexcept : executable_(other.executable_) { other.executable_ = nullptr; }
  Graph& operator=(Graph&& other) noexcept {
    std::swap(executable_, other.executable_);
    return *this;
  }

  // Records what `work` enqueues on `stream`, which does nothing of it yet. An empty graph where it cannot be
  // recorded; what `work` throws is thrown on.
  template <typename Work>
  static Graph record(int device, cudaStream_t stream, Work work) {
    Capture capture(stream);
    if (!capture.begin()) return Graph();
    work();
    return capture.end(device);
  }

  explicit operator bool() const { return executable_ != nullptr; }

  void launch(int device, cudaStream_t stream) const {
    check(cudaGraphLaunch(executable_, stream), "launching a graph", device);
  }

 private:
  // Ends the capture whatever happens within: a stream left in capture would be of no more use.
  class Capture {
   public:
    explicit Capture(cudaStream_t stream) : stream_(stream) {}
    ~Capture() {
      cudaGraph_t graph = nullptr;
      if (capturing_ && cudaStreamEndCapture(stream_, &graph) == cudaSuccess) cudaGraphDestroy(graph);
      cudaGetLastError();
    }
    Capture(const Capture&) = delete;
    Capture& operator=(const Capture&) = delete;

    // Thread-local: other threads may allocate meanwhile.
    bool begin() {
      capturing_ = cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal) == cudaSuccess;
      return capturing_;
    }

    Graph end(int device) {
      cudaGraph_t graph = nullptr;
      capturing_ = false;
      check(cudaStreamEndCapture(stream_, &graph), "recording a graph", device);
      Graph result;
      const cudaError_t code = cudaGraphInstantiate(&result.executable_, graph, 0);
      cudaGraphDestroy(graph);
      if (is_fatal(code)) check(code, "preparing a graph", device);
      if (code != cudaSuccess) result.executable_ = nullptr;
      return result;
    }

   private:
    const cudaStream_t stream_;
    bool capturing_ = false;
  };

  cudaGraphExec_t executable_ = nullptr;
};

}  // namespace rs::cuda
