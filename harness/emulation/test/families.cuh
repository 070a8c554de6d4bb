// Kernels of multi-scale deformable attention in the style of the released ones: one thread an element
// forward, one block a (query, head) backward, in six families that differ in how they reduce over channels.
// To be included once for each PLANTED fault, in a namespace of its own: 0 for none.
#define CUDA_KERNEL_LOOP(i, n) \
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < (n); i += blockDim.x * gridDim.x)

/// Bilinear value of one channel.
template <typename scalar_t>
__device__ scalar_t sample(const scalar_t* __restrict__ data, int height, int width, int heads, int channels,
                           scalar_t h, scalar_t w, int m, int c) {
  const int h_low = floor(h), w_low = floor(w);
  const int h_high = h_low + 1, w_high = w_low + 1;
  const scalar_t lh = h - h_low, lw = w - w_low, hh = 1 - lh, hw = 1 - lw;
  const int w_stride = heads * channels, h_stride = width * w_stride, base = m * channels + c;
  scalar_t v1 = 0, v2 = 0, v3 = 0, v4 = 0;
  if (h_low >= 0 && w_low >= 0) v1 = __ldg(data + h_low * h_stride + w_low * w_stride + base);
  if (h_low >= 0 && w_high <= width - 1) v2 = __ldg(data + h_low * h_stride + w_high * w_stride + base);
#if PLANTED == 5
  if (h_high <= height && w_low >= 0) v3 = data[h_high * h_stride + w_low * w_stride + base];
#else
  if (h_high <= height - 1 && w_low >= 0) v3 = data[h_high * h_stride + w_low * w_stride + base];
#endif
  if (h_high <= height - 1 && w_high <= width - 1) v4 = data[h_high * h_stride + w_high * w_stride + base];
  return hh * hw * v1 + hh * lw * v2 + lh * hw * v3 + lh * lw * v4;
}

template <typename scalar_t>
__global__ void forward_kernel(const int n, const scalar_t* data_value, const int64_t* shapes,
                               const int64_t* starts, const scalar_t* locations, const scalar_t* weights,
                               const int spatial_size, const int heads, const int channels, const int levels,
                               const int queries, const int points, scalar_t* data_col) {
  CUDA_KERNEL_LOOP(index, n) {
    const int c = index % channels;
    const int sampling_index = index / channels;
    const int m = sampling_index % heads;
    const int b = sampling_index / heads / queries;
    int weight_at = sampling_index * levels * points;
    scalar_t col = 0;
    for (int l = 0; l < levels; ++l) {
      const int height = shapes[l << 1], width = shapes[(l << 1) + 1];
      const scalar_t* value = data_value + (b * spatial_size + starts[l]) * heads * channels;
      for (int p = 0; p < points; ++p, ++weight_at) {
        const scalar_t h = locations[(weight_at << 1) + 1] * height - scalar_t(0.5);
        const scalar_t w = locations[weight_at << 1] * width - scalar_t(0.5);
        if (h > -1 && w > -1 && h < height && w < width) {
          col += sample(value, height, width, heads, channels, h, w, m, c) * weights[weight_at];
        }
      }
    }
    data_col[index] = col;
  }
}

/// What one channel of one point gives: adds to grad_value; of location and weight into its own three
/// numbers.
template <typename scalar_t>
__device__ void distribute(const scalar_t* data, int height, int width, int heads, int channels, scalar_t h,
                           scalar_t w, int m, int c, scalar_t top_grad, scalar_t weight, scalar_t* grad_value,
                           scalar_t* grad_w, scalar_t* grad_h, scalar_t* grad_weight) {
  const int h_low = floor(h), w_low = floor(w);
  const int h_high = h_low + 1, w_high = w_low + 1;
  const scalar_t lh = h - h_low, lw = w - w_low, hh = 1 - lh, hw = 1 - lw;
  const int w_stride = heads * channels, h_stride = width * w_stride, base = m * channels + c;
  const scalar_t top_grad_value = top_grad * weight;
  scalar_t of_h = 0, of_w = 0, sum = 0;
  const auto corner = [&](int row, int column, scalar_t vertical, scalar_t horizontal, scalar_t h_sign,
                          scalar_t w_sign) {
    if (row < 0 || column < 0 || row > height - 1 || column > width - 1) return;
    const int at = row * h_stride + column * w_stride + base;
    const scalar_t v = data[at];
    of_h += h_sign * horizontal * v;
    of_w += w_sign * vertical * v;
    sum += vertical * horizontal * v;
#if PLANTED == 3
    grad_value[at] += vertical * horizontal * top_grad_value;
#else
    atomicAdd(grad_value + at, vertical * horizontal * top_grad_value);
#endif
  };
  corner(h_low, w_low, hh, hw, -1, -1);
  corner(h_low, w_high, hh, lw, -1, 1);
  corner(h_high, w_low, lh, hw, 1, -1);
  corner(h_high, w_high, lh, lw, 1, 1);
  *grad_weight = top_grad * sum;
  *grad_w = width * of_w * top_grad_value;
  *grad_h = height * of_h * top_grad_value;
}

#define BACKWARD_PARAMETERS                                                                              \
  const int n, const scalar_t *grad_col, const scalar_t *data_value, const int64_t *shapes,              \
      const int64_t *starts, const scalar_t *locations, const scalar_t *weights, const int spatial_size, \
      const int heads, const int channels, const int levels, const int queries, const int points,        \
      scalar_t *grad_value, scalar_t *grad_locations, scalar_t *grad_weights
#define BACKWARD_ARGUMENTS                                                                            \
  n, grad_col, data_value, shapes, starts, locations, weights, spatial_size, heads, channels, levels, \
      queries, points, grad_value, grad_locations, grad_weights

/// For each element and each of its points: reset(); the three numbers of the point; reduce(point).
#define FOR_EACH_POINT(reset, of_w, of_h, of_weight, reduce)                                \
  CUDA_KERNEL_LOOP(index, n) {                                                              \
    const int c = index % channels;                                                         \
    const int sampling_index = index / channels;                                            \
    const int m = sampling_index % heads;                                                   \
    const int b = sampling_index / heads / queries;                                         \
    const scalar_t top_grad = grad_col[index];                                              \
    int weight_at = sampling_index * levels * points;                                       \
    for (int l = 0; l < levels; ++l) {                                                      \
      const int height = shapes[l << 1], width = shapes[(l << 1) + 1];                      \
      const int at = (b * spatial_size + starts[l]) * heads * channels;                     \
      for (int p = 0; p < points; ++p, ++weight_at) {                                       \
        const scalar_t h = locations[(weight_at << 1) + 1] * height - scalar_t(0.5);        \
        const scalar_t w = locations[weight_at << 1] * width - scalar_t(0.5);               \
        reset;                                                                              \
        if (h > -1 && w > -1 && h < height && w < width) {                                  \
          distribute(data_value + at, height, width, heads, channels, h, w, m, c, top_grad, \
                     weights[weight_at], grad_value + at, of_w, of_h, of_weight);           \
        }                                                                                   \
        reduce;                                                                             \
      }                                                                                     \
    }                                                                                       \
  }

/// Thread 0 adds up what all channels have in shared memory.
template <typename scalar_t>
__device__ void reduce_serially(const scalar_t* cache, int count, int weight_at, scalar_t* grad_locations,
                                scalar_t* grad_weights) {
#if PLANTED == 1
  if (threadIdx.x != blockDim.x - 1) __syncthreads();
#elif PLANTED != 2
  __syncthreads();
#endif
  if (threadIdx.x == 0) {
    scalar_t w = 0, h = 0, a = 0;
    for (int t = 0; t < count; ++t) {
      w += cache[t << 1];
      h += cache[(t << 1) + 1];
      a += cache[2 * count + t];
    }
    grad_locations[weight_at << 1] = w;
    grad_locations[(weight_at << 1) + 1] = h;
    grad_weights[weight_at] = a;
  }
  __syncthreads();
}

/// The same as a tree; `count` need not be a power of two.
template <typename scalar_t>
__device__ void reduce_as_tree(scalar_t* cache, int count, int weight_at, bool atomically,
                               scalar_t* grad_locations, scalar_t* grad_weights) {
  const int tid = threadIdx.x;
  __syncthreads();
  for (int s = count / 2, before = count; s > 0; s >>= 1, before >>= 1) {
    if (tid < s) {
      for (int i = 0; i < 2; ++i) cache[(tid << 1) + i] += cache[((tid + s) << 1) + i];
      cache[2 * count + tid] += cache[2 * count + tid + s];
      if (tid + 2 * s < before) {
        for (int i = 0; i < 2; ++i) cache[(tid << 1) + i] += cache[((tid + 2 * s) << 1) + i];
        cache[2 * count + tid] += cache[2 * count + tid + 2 * s];
      }
    }
#if PLANTED != 2
    __syncthreads();
#endif
  }
  if (tid == 0) {
    if (atomically) {
      atomicAdd(grad_locations + (weight_at << 1), cache[0]);
      atomicAdd(grad_locations + (weight_at << 1) + 1, cache[1]);
      atomicAdd(grad_weights + weight_at, cache[2 * count]);
    } else {
      grad_locations[weight_at << 1] = cache[0];
      grad_locations[(weight_at << 1) + 1] = cache[1];
      grad_weights[weight_at] = cache[2 * count];
    }
  }
  __syncthreads();
}

#if PLANTED == 4
#define RESET_CACHE
#else
#define RESET_CACHE cache[tid << 1] = 0, cache[(tid << 1) + 1] = 0, cache[2 * count + tid] = 0
#endif

template <typename scalar_t, unsigned int blockSize>
__global__ void backward_shm_blocksize_aware_reduce_v1(BACKWARD_PARAMETERS) {
  __shared__ scalar_t cache[blockSize * 3];
  const int tid = threadIdx.x, count = blockSize;
  FOR_EACH_POINT(RESET_CACHE, cache + (tid << 1), cache + (tid << 1) + 1, cache + 2 * count + tid,
                 reduce_serially(cache, count, weight_at, grad_locations, grad_weights))
}

template <typename scalar_t, unsigned int blockSize>
__global__ void backward_shm_blocksize_aware_reduce_v2(BACKWARD_PARAMETERS) {
  __shared__ scalar_t cache[blockSize * 3];
  const int tid = threadIdx.x, count = blockSize;
  FOR_EACH_POINT(RESET_CACHE, cache + (tid << 1), cache + (tid << 1) + 1, cache + 2 * count + tid,
                 reduce_as_tree(cache, count, weight_at, false, grad_locations, grad_weights))
}

template <typename scalar_t>
__global__ void backward_shm_reduce_v1(BACKWARD_PARAMETERS) {
  extern __shared__ int _s[];
  scalar_t* cache = (scalar_t*)_s;
  const int tid = threadIdx.x, count = blockDim.x;
  FOR_EACH_POINT(RESET_CACHE, cache + (tid << 1), cache + (tid << 1) + 1, cache + 2 * count + tid,
                 reduce_serially(cache, count, weight_at, grad_locations, grad_weights))
}

template <typename scalar_t>
__global__ void backward_shm_reduce_v2(BACKWARD_PARAMETERS) {
  extern __shared__ int _s[];
  scalar_t* cache = (scalar_t*)_s;
  const int tid = threadIdx.x, count = blockDim.x;
  FOR_EACH_POINT(RESET_CACHE, cache + (tid << 1), cache + (tid << 1) + 1, cache + 2 * count + tid,
                 reduce_as_tree(cache, count, weight_at, false, grad_locations, grad_weights))
}

/// Several blocks share a (query, head): they add their sums atomically.
template <typename scalar_t>
__global__ void backward_shm_reduce_v2_multi_blocks(BACKWARD_PARAMETERS) {
  extern __shared__ int _s[];
  scalar_t* cache = (scalar_t*)_s;
  const int tid = threadIdx.x, count = blockDim.x;
  FOR_EACH_POINT(RESET_CACHE, cache + (tid << 1), cache + (tid << 1) + 1, cache + 2 * count + tid,
                 reduce_as_tree(cache, count, weight_at, true, grad_locations, grad_weights))
}

/// Every channel adds to global memory.
template <typename scalar_t>
__global__ void backward_gm(BACKWARD_PARAMETERS) {
  FOR_EACH_POINT(scalar_t of_w = 0; scalar_t of_h = 0; scalar_t of_weight = 0, &of_w, &of_h, &of_weight,
                                                       atomicAdd(grad_locations + (weight_at << 1), of_w);
                 atomicAdd(grad_locations + (weight_at << 1) + 1, of_h);
                 atomicAdd(grad_weights + weight_at, of_weight))
}

template <typename scalar_t>
void run_forward(cudaStream_t stream, const scalar_t* data_value, const int64_t* shapes,
                 const int64_t* starts, const scalar_t* locations, const scalar_t* weights, const int batch,
                 const int spatial_size, const int heads, const int channels, const int levels,
                 const int queries, const int points, scalar_t* data_col) {
  const int n = batch * queries * heads * channels;
  const int num_threads = 512;
  forward_kernel<scalar_t><<<(n + num_threads - 1) / num_threads, num_threads, 0, stream>>>(
      n, data_value, shapes, starts, locations, weights, spatial_size, heads, channels, levels, queries,
      points, data_col);
}

/// By the number of channels, as released code chooses.
template <typename scalar_t>
void run_backward(cudaStream_t stream, const scalar_t* grad_col, const scalar_t* data_value,
                  const int64_t* shapes, const int64_t* starts, const scalar_t* locations,
                  const scalar_t* weights, const int batch, const int spatial_size, const int heads,
                  const int channels, const int levels, const int queries, const int points,
                  scalar_t* grad_value, scalar_t* grad_locations, scalar_t* grad_weights) {
  const int num_threads = (channels > 512) ? 512 : channels;
  const int n = batch * queries * heads * channels;
  const int num_blocks = (n + num_threads - 1) / num_threads;
  const size_t cache_bytes = num_threads * 3 * sizeof(scalar_t);
  if (channels > 512) {
    if ((channels & 511) == 0) {
      backward_shm_reduce_v2_multi_blocks<scalar_t>
          <<<num_blocks, num_threads, cache_bytes, stream>>>(BACKWARD_ARGUMENTS);
    } else {
      backward_gm<scalar_t><<<num_blocks, num_threads, 0, stream>>>(BACKWARD_ARGUMENTS);
    }
    return;
  }
  switch (channels) {
#define CASE(size, kernel)                                                              \
  case size:                                                                            \
    kernel<scalar_t, size><<<num_blocks, num_threads, 0, stream>>>(BACKWARD_ARGUMENTS); \
    break;
    CASE(1, backward_shm_blocksize_aware_reduce_v1)
    CASE(4, backward_shm_blocksize_aware_reduce_v1)
    CASE(32, backward_shm_blocksize_aware_reduce_v1)
    CASE(64, backward_shm_blocksize_aware_reduce_v2)
    default:
      if (channels < 64) {
        backward_shm_reduce_v1<scalar_t>
            <<<num_blocks, num_threads, cache_bytes, stream>>>(BACKWARD_ARGUMENTS);
      } else {
        backward_shm_reduce_v2<scalar_t>
            <<<num_blocks, num_threads, cache_bytes, stream>>>(BACKWARD_ARGUMENTS);
      }
  }
#undef CASE
}

#undef CUDA_KERNEL_LOOP
#undef BACKWARD_PARAMETERS
#undef BACKWARD_ARGUMENTS
#undef FOR_EACH_POINT
#undef RESET_CACHE
