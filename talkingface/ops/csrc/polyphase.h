// The arithmetic of resampling along one axis, shared by the processor's and the GPU's kernels.
//
// Zero insertion by `up`, padding, a filter and decimation by `down` need not be done one after the other. Output
// o = up * t + p only meets the taps whose place has samples and no inserted zeros; with taps in sliding order:
//
//     y[up * t + p] = sum over m < count of taps[first + m * up] * x[t * down + offset + m]
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define TALKINGFACE_BOTH __host__ __device__
#else
#define TALKINGFACE_BOTH
#endif

namespace talkingface {

// Sizes of one call. Same layout as Sizes in ../native.py.
struct Sizes {
  int64_t planes, in_height, in_width, out_height, out_width;
  int64_t up, down, pad_top, pad_left, taps_height, taps_width, rank;
};

struct Phase {
  int64_t offset, first, count;
};

TALKINGFACE_BOTH inline Phase phase_of(int64_t p, int64_t up, int64_t down, int64_t pad, int64_t taps) {
  const int64_t begin = p * down - pad;                  // place, among samples and zeros, under the first tap
  const int64_t first = ((-begin) % up + up) % up;       // the first tap that lies on a sample
  const int64_t count = first < taps ? (taps - first + up - 1) / up : 0;
  return {(begin + first) / up, first, count};
}

}  // namespace talkingface
