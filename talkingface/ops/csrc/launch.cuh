// Starts kernels on a GPU; where nvcc does not compile this, on the host, one thread after the other, for tests.
//
// The kernels here wait for nothing within a block and share no memory, so any order of the threads gives the same.
#pragma once

#include <cstdint>

#include "polyphase.h"

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#else
#define __global__
#define __device__
#define __restrict__ __restrict
using cudaStream_t = void*;
struct Dim {
  unsigned x;
};
inline Dim blockIdx, blockDim, threadIdx, gridDim;
#endif

namespace talkingface {

constexpr int kThreads = 256;
constexpr int64_t kMostBlocks = 1 << 20;  // beyond, a thread does several pieces

// What is added up: float for the small types.
template <typename T>
struct Sum {
  using type = float;
};
template <>
struct Sum<double> {
  using type = double;
};

TALKINGFACE_BOTH inline int64_t first_piece() {
  return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
TALKINGFACE_BOTH inline int64_t piece_step() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

// Runs kernel(arguments) for `pieces` pieces of work, of which each thread begins with first_piece().
// Returns 0, or the number of CUDA's error.
template <typename... Parameters, typename... Arguments>
int launch(void (*kernel)(Parameters...), int64_t pieces, int device, cudaStream_t stream, Arguments... arguments) {
  if (pieces <= 0) return 0;
  const int64_t wanted = (pieces + kThreads - 1) / kThreads;
  const unsigned blocks = static_cast<unsigned>(wanted < kMostBlocks ? wanted : kMostBlocks);
#ifdef __CUDACC__
  // This library has a runtime of its own, which must use the device that torch uses.
  const cudaError_t chosen = cudaSetDevice(device);
  if (chosen != cudaSuccess) return static_cast<int>(chosen);
  kernel<<<blocks, kThreads, 0, stream>>>(arguments...);
  return static_cast<int>(cudaGetLastError());
#else
  static_cast<void>(device), static_cast<void>(stream);
  gridDim.x = blocks, blockDim.x = kThreads;
  for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x)
    for (threadIdx.x = 0; threadIdx.x < kThreads; ++threadIdx.x) kernel(arguments...);
  return 0;
#endif
}

}  // namespace talkingface
