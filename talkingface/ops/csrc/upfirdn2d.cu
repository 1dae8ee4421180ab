// Resampling of pictures with small filters on the GPU.
//
// A thread makes a few outputs below each other, threads beside each other make neighbours along the width, so reads
// and writes of a warp are contiguous and what neighbours share comes from the cache.
#include "launch.cuh"

namespace talkingface {
namespace {

constexpr int kMostTaps = 64;
constexpr int kRows = 4;  // outputs of a thread

// Passed by value: the constant memory of the call. In sliding order, (taps_height, taps_width).
template <typename S>
struct Filter {
  S taps[kMostTaps];
};

// Any filter and any factors.
template <typename T, typename S>
__global__ void resample(const T* __restrict__ x, T* __restrict__ y, Sizes s, Filter<S> filter) {
  const int64_t groups = (s.out_height + kRows - 1) / kRows, pieces = s.planes * groups * s.out_width;
  const int up = static_cast<int>(s.up), down = static_cast<int>(s.down);
  for (int64_t piece = first_piece(); piece < pieces; piece += piece_step()) {
    const int64_t column = piece % s.out_width, group = piece / s.out_width % groups;
    const int64_t plane = piece / (s.out_width * groups);
    const T* in = x + plane * s.in_height * s.in_width;
    const Phase wide = phase_of(column % up, up, down, s.pad_left, s.taps_width);
    const int64_t left = column / up * down + wide.offset;
    for (int64_t row = group * kRows; row < (group + 1) * kRows && row < s.out_height; ++row) {
      const Phase tall = phase_of(row % up, up, down, s.pad_top, s.taps_height);
      const int64_t top = row / up * down + tall.offset;
      S sum = 0;
      for (int64_t i = 0; i < tall.count; ++i) {
        if (top + i < 0 || top + i >= s.in_height) continue;
        const S* taps = filter.taps + (tall.first + i * up) * s.taps_width + wide.first;
        for (int64_t j = 0; j < wide.count; ++j)
          if (left + j >= 0 && left + j < s.in_width)
            sum += taps[j * up] * static_cast<S>(in[(top + i) * s.in_width + left + j]);
      }
      y[(plane * s.out_height + row) * s.out_width + column] = static_cast<T>(sum);
    }
  }
}

// Filters of SIZE x SIZE without zero insertion: each input is read once and given to all outputs that it belongs to.
template <typename T, typename S, int DOWN, int SIZE>
__global__ void filter_square(const T* __restrict__ x, T* __restrict__ y, Sizes s, Filter<S> filter) {
  const int64_t groups = (s.out_height + kRows - 1) / kRows, pieces = s.planes * groups * s.out_width;
  for (int64_t piece = first_piece(); piece < pieces; piece += piece_step()) {
    const int64_t column = piece % s.out_width, group = piece / s.out_width % groups;
    const int64_t plane = piece / (s.out_width * groups);
    const T* in = x + plane * s.in_height * s.in_width;
    const int64_t left = column * DOWN - s.pad_left, top = group * kRows * DOWN - s.pad_top;
    S sums[kRows] = {};
#pragma unroll
    for (int i = 0; i < (kRows - 1) * DOWN + SIZE; ++i) {
      if (top + i < 0 || top + i >= s.in_height) continue;
#pragma unroll
      for (int j = 0; j < SIZE; ++j) {
        if (left + j < 0 || left + j >= s.in_width) continue;
        const S value = static_cast<S>(in[(top + i) * s.in_width + left + j]);
#pragma unroll
        for (int r = 0; r < kRows; ++r)
          if (i - r * DOWN >= 0 && i - r * DOWN < SIZE) sums[r] += filter.taps[(i - r * DOWN) * SIZE + j] * value;
      }
    }
#pragma unroll
    for (int r = 0; r < kRows; ++r)
      if (group * kRows + r < s.out_height)
        y[(plane * s.out_height + group * kRows + r) * s.out_width + column] = static_cast<T>(sums[r]);
  }
}

template <typename T>
int run(const T* x, T* y, const Sizes& s, const double* taps, int device, cudaStream_t stream) {
  using S = typename Sum<T>::type;
  if (s.taps_height * s.taps_width > kMostTaps) return -1;
  Filter<S> filter = {};
  for (int64_t i = 0; i < s.taps_height * s.taps_width; ++i) filter.taps[i] = static_cast<S>(taps[i]);
  const int64_t pieces = s.planes * ((s.out_height + kRows - 1) / kRows) * s.out_width;
  const bool usual = s.up == 1 && s.taps_height == 4 && s.taps_width == 4;
  if (usual && s.down == 1) return launch(filter_square<T, S, 1, 4>, pieces, device, stream, x, y, s, filter);
  if (usual && s.down == 2) return launch(filter_square<T, S, 2, 4>, pieces, device, stream, x, y, s, filter);
  return launch(resample<T, S>, pieces, device, stream, x, y, s, filter);
}

}  // namespace
}  // namespace talkingface

// taps: (taps_height, taps_width) in sliding order, on the host. Returns 0, CUDA's error, or -1: too many taps.
#define TALKINGFACE_UPFIRDN2D(NAME, TYPE)                                                                          \
  extern "C" int talkingface_upfirdn2d_##NAME(const TYPE* x, TYPE* y, const talkingface::Sizes* sizes,             \
                                              const double* taps, int device, cudaStream_t stream) {               \
    return talkingface::run<TYPE>(x, y, *sizes, taps, device, stream);                                             \
  }

TALKINGFACE_UPFIRDN2D(float32, float)
TALKINGFACE_UPFIRDN2D(float64, double)
#ifdef __CUDACC__
TALKINGFACE_UPFIRDN2D(float16, __half)
TALKINGFACE_UPFIRDN2D(bfloat16, __nv_bfloat16)
#endif
