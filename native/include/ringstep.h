/*
 * ringstep.h: the C ABI of the Ringstep engine.
 *
 * Ringstep trains small fully connected networks: Linear layers with one activation between them,
 * a loss, and SGD, Adam or AdamW. This header is all a caller needs, from C or through
 * any binding.
 *
 * Conventions
 *   - Arrays are row-major float32: x is [rows, inputs], y is [rows, outputs].
 *   - All parameters of a network form one flat vector, in PyTorch's order and layout:
 *     fc1.weight [out, in], fc1.bias [out], fc2.weight, fc2.bias, ...
 *   - The loss is the mean over rows and outputs of what rs_loss_kind says, by default of
 *     (prediction - y)^2. With cross-entropy, y is [rows, 1], a class a row, and the mean is over rows.
 *   - Where a dataset has sample weights w, every mean is sum(w_i loss_i) / sum(w_i): over nothing but
 *     rows of weight 0 it is 0, and so is its gradient.
 *   - Every function that can fail returns an rs_status; rs_last_error() then gives the reason, for
 *     the calling thread, until its next failing call.
 *   - A handle may be used by one thread at a time, except where a function says otherwise.
 *   - The result of a call has the same bits for any number of threads.
 */
#ifndef RINGSTEP_H
#define RINGSTEP_H

#include <stdint.h>

#if defined(_WIN32)
#define RS_API
#else
#define RS_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Compare with rs_abi_version() before any other call: they differ when header and library do. */
#define RS_ABI_VERSION 6

typedef enum rs_status {
  RS_OK = 0,
  RS_INVALID_ARGUMENT = 1, /* nothing was done; the handle is as before */
  RS_OUT_OF_MEMORY = 2,    /* nothing was done; the handle is as before */
  RS_NON_FINITE = 3,       /* the loss became NaN or infinite; the step was not applied */
  RS_INTERNAL = 4,         /* a defect in the engine */
  RS_CUDA = 16,            /* a GPU could not do it, or there is none; the handle is as before */
  RS_CUDA_OUT_OF_MEMORY = 17, /* a GPU has too little memory free; nothing was done, the handle is as before */
  RS_CUDA_FATAL = 18,      /* the GPU's context is lost: no call on it will succeed again in this process */
  /* With other ranks; rs_last_error_rank() is the one to blame. The communicator fails from then on, and parameters
   * are those of the last step that was applied. */
  RS_COLLECTIVE_TIMEOUT = 32,  /* a rank did not arrive within the deadline */
  RS_COLLECTIVE_RANK_LOST = 33, /* a rank died, left or lost its connection */
  RS_COLLECTIVE_MISMATCH = 34, /* the ranks do not do the same */
  RS_COLLECTIVE_ABORTED = 35,  /* rs_communicator_abort was called, on this rank or on another */
  RS_COLLECTIVE_FAILED = 36    /* the library underneath failed, or is not there */
} rs_status;

typedef enum rs_activation {
  RS_IDENTITY = 0,
  RS_RELU = 1, /* gradient 0 at 0, NaN stays NaN */
  RS_TANH = 2,
  RS_SIGMOID = 3
} rs_activation;

typedef enum rs_optimizer_kind { RS_SGD = 0, RS_ADAM = 1, RS_ADAMW = 2 } rs_optimizer_kind;

/* What a trainer runs on. RS_ENGINE_CUDA needs a library of its own: see rs_register_backend. */
typedef enum rs_engine { RS_ENGINE_CPU = 0, RS_ENGINE_CUDA = 1 } rs_engine;

/* RS_TF32 lets the CUDA engine use tensor cores where it has a kernel for it: products are of factors with 10 bits
 * of mantissa, sums are float32. Batches that no such kernel covers are computed in float32. */
typedef enum rs_precision { RS_FLOAT32 = 0, RS_TF32 = 1 } rs_precision;

/* Hyperparameters with PyTorch's names and formulas (torch.optim.SGD, Adam, AdamW). Those that an
 * optimizer does not have are ignored. All are used as float32. */
typedef struct rs_optimizer {
  int32_t kind; /* rs_optimizer_kind */
  double lr;
  double momentum; /* SGD */
  int32_t nesterov; /* SGD */
  double weight_decay; /* L2 for SGD and Adam, decoupled for AdamW */
  double beta1, beta2, eps; /* Adam, AdamW */
} rs_optimizer;

/* Of one output, with z the network's and y the target; formulas and names are PyTorch's. Predictions
 * are z itself; see rs_trainer_probabilities. */
typedef enum rs_loss_kind {
  RS_MSE = 0,          /* torch.nn.MSELoss: (z - y)^2 */
  RS_MAE = 1,          /* torch.nn.L1Loss: |z - y|; derivative 0 at 0 */
  RS_HUBER = 2,        /* torch.nn.HuberLoss: with e = z - y, e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2) */
  RS_BCE = 3,          /* torch.nn.BCEWithLogitsLoss: max(z, 0) - z y + log(1 + exp(-|z|)), y from 0 to 1 */
  RS_CROSS_ENTROPY = 4 /* torch.nn.CrossEntropyLoss: log(sum_c exp(z_c)) - z_y, y a whole number from 0 to outputs - 1 */
} rs_loss_kind;

typedef struct rs_loss {
  int32_t kind;       /* rs_loss_kind */
  double huber_delta; /* above 0; RS_HUBER alone */
} rs_loss;

/* What is done to the mean gradient g before the optimizer sees it, in this order: L1, then at most one kind of
 * clipping. Weight decay is the optimizer's and comes after. */
typedef struct rs_gradient_shaping {
  double l1;         /* g + l1 sign(theta): the derivative of l1 sum |theta|; with weight_decay, an elastic net */
  double clip_norm;  /* torch.nn.utils.clip_grad_norm_: g min(1, clip_norm / (||g|| + 1e-6)); 0: none */
  double clip_value; /* torch.nn.utils.clip_grad_value_: g within +-clip_value; 0: none */
} rs_gradient_shaping;

/* What a trainer is made of. Zero it, then fill in what is not 0. */
typedef struct rs_trainer_options {
  const int32_t* sizes; /* the width of the inputs and of every Linear layer, each from 1 to 4194304: {10, 20, 1} is
                           Linear(10, 20), activation, Linear(20, 1); at most 2147483647 parameters */
  int32_t size_count;
  int32_t activation; /* rs_activation */
  rs_optimizer optimizer;
  int32_t threads; /* CPU: bounds the threads of one call; 0 means one for each processor */
  int32_t engine;  /* rs_engine */
  int32_t device;  /* CUDA: number of the GPU, from 0 on */
  int32_t precision; /* rs_precision; RS_TF32 needs RS_ENGINE_CUDA */
  rs_loss loss;
  rs_gradient_shaping shaping;
  /* Inverted dropout after every hidden activation, as torch.nn.Dropout, while training: each unit becomes 0 with this
   * probability, in [0, 1), else it is multiplied by 1 / (1 - dropout). Which ones is a function of dropout_seed, the
   * number of steps since the optimizer's state began, the row's number in the batch and the unit's. Evaluation,
   * prediction and rs_trainer_gradient drop nothing. */
  double dropout;
  uint64_t dropout_seed;
  /* 1: batches of 8 rows and more go through the one linear map that a network without activations amounts to, which is
   * many times less work than its layers one after the other. The same network and gradient in real numbers; floats are
   * rounded in other places. CPU, RS_IDENTITY, no dropout. */
  int32_t collapse;
} rs_trainer_options;

typedef enum rs_schedule_kind {
  RS_CONSTANT = 0,
  RS_STEP_DECAY = 1, /* torch.optim.lr_scheduler.StepLR: lr gamma^floor(t / n), n the steps of step_epochs epochs */
  RS_COSINE = 2      /* CosineAnnealingLR: min_lr + (lr - min_lr) (1 + cos(pi t / T)) / 2, T the steps after warm-up */
} rs_schedule_kind;

/* The learning rate of each step of a fit, from the trainer's own, lr, and t, the steps done in the fit. The first
 * warmup_steps have lr (warmup_start + (1 - warmup_start) t / warmup_steps), as LinearLR; thereafter t counts from the
 * end of the warm-up, as with SequentialLR. */
typedef struct rs_schedule {
  int32_t kind; /* rs_schedule_kind */
  int64_t step_epochs; /* RS_STEP_DECAY: at least 1 */
  double gamma;        /* RS_STEP_DECAY: at least 0 */
  double min_lr;       /* RS_COSINE: at least 0 */
  int64_t warmup_steps;
  double warmup_start; /* from 0 to 1 */
} rs_schedule;

/* Averages of the parameters, kept beside them during a fit as torch.optim.swa_utils.AveragedModel keeps them: the
 * first ones are copied. rs_trainer_swap_average puts them to use. */
typedef enum rs_average_kind {
  RS_NO_AVERAGE = 0,
  RS_EMA = 1, /* after every step: average + (1 - decay) (theta - average) */
  RS_SWA = 2  /* after every epoch but the first swa_start ones: average + (theta - average) / (n + 1), the n+1st */
} rs_average_kind;

typedef struct rs_average {
  int32_t kind;      /* rs_average_kind */
  double ema_decay;  /* in [0, 1) */
  int64_t swa_start; /* epochs that take no part, at least 0 */
} rs_average;

/* The state of a fit: what to do, how far it has come, when to pause. Zero it, fill in the first
 * block, and call rs_trainer_fit with it until `done` is 1. */
typedef struct rs_fit {
  int64_t batch;   /* rows a step, at least 1; an epoch's last batch may have fewer */
  int64_t epochs;  /* at least 1 */
  int32_t shuffle; /* 1: every epoch visits the rows in an order of its own, drawn from seed */
  uint64_t seed;
  const float* target_scale; /* [targets], or null: each target was divided by this before training, and losses are
                                reported in its own units: squared errors and Huber's loss times its square (Huber's
                                delta times it), absolute ones times it; the losses of classifiers take no part;
                                from 1e-18 to 1e18 */

  /* Position: both zero at the start. */
  int64_t epoch; /* whole epochs done */
  int64_t row;   /* rows of the current epoch done */
  int64_t steps; /* steps done in all */
  double epoch_loss_sum; /* sum of the losses over the rows of the current epoch done */

  /* When to return before the end. */
  double seconds;          /* return after about so long; 0 means no limit */
  int64_t step_limit;      /* return when `steps` has come to this; 0 means no limit */
  double* losses;          /* receives the mean loss of each epoch that ends in this call; may be null */
  int64_t losses_capacity; /* return when so many epochs have ended in this call; 0 means no limit, and needs null losses */

  /* Results of this call. */
  int64_t losses_count; /* epochs that ended in this call */
  int32_t done;         /* 1 once all epochs are done */
  int32_t stopped;      /* 1 where it ended because of rs_trainer_stop, on this rank or on another */

  /* More of what to do, all 0 for none of it. A fit at its start forgets what was averaged before. */
  rs_schedule schedule;
  rs_average average;
  double lr_scale; /* multiplies every learning rate, as for reduce-on-plateau; may change between calls; 0 means 1 */

  /* More of the position. */
  double epoch_weight_sum; /* sum of the sample weights over the rows of the current epoch done; 0 without weights */
} rs_fit;

/* What an optimizer remembers beside its moments, for checkpoints. */
typedef struct rs_optimizer_state {
  int64_t steps;      /* since the parameters were last set; at least 0 */
  double beta1_power; /* Adam, AdamW: beta1^steps, as the product it was built up as; from 0 to 1 */
  double beta2_power; /* likewise of beta2 */
} rs_optimizer_state;

typedef struct rs_dataset rs_dataset;
typedef struct rs_trainer rs_trainer;
typedef struct rs_communicator rs_communicator;
typedef struct rs_tcp_listener rs_tcp_listener;

/* ---- the library ---- */

RS_API int32_t rs_abi_version(void);
RS_API const char* rs_version(void);    /* "0.1.0" */
RS_API const char* rs_last_error(void); /* never null; empty before the first failure of this thread */

/* The instruction set in use: "avx512", "avx2" or "baseline". The best that the processor has,
 * unless the environment variable RINGSTEP_SIMD names a lesser one at load. avx512 and avx2 give the
 * same bits; baseline, which has no fused multiply-add, rounds differently. */
RS_API const char* rs_cpu_simd(void);

/* Processors this process may run on. */
RS_API int32_t rs_cpu_count(void);

/* ---- engines in libraries of their own ---- */

/* Whether the driver's library (libcuda.so.1) can be loaded. Without it the CUDA engine is of no use. */
RS_API int32_t rs_cuda_driver_present(void);

/* Makes an engine known that another library of this version has: what its rs_cuda_backend() returns
 * (ringstep_cuda.h). That library must stay loaded. */
RS_API rs_status rs_register_backend(const void* backend);

/* ---- datasets: rows held by the engine ---- */

/* Memory for `rows` rows, zeroed; rows >= 1, inputs >= 1, outputs >= 1. The rows may be changed until a trainer
 * first uses them: a GPU keeps a copy of its own from then on, until the dataset is destroyed. */
RS_API rs_status rs_dataset_create(int64_t rows, int32_t inputs, int32_t outputs, rs_dataset** dataset);
RS_API float* rs_dataset_x(rs_dataset* dataset); /* [rows, inputs], to be filled by the caller */
RS_API float* rs_dataset_y(rs_dataset* dataset); /* [rows, outputs] */

/* A weight for each row, [rows], all 1, to be filled by the caller with finite values of at least 0; the same ones
 * when called again. */
RS_API rs_status rs_dataset_weights(rs_dataset* dataset, float** weights);
RS_API void rs_dataset_destroy(rs_dataset* dataset); /* null is allowed */

/* ---- trainers: a network, its optimizer and their state ---- */

/* All parameters are zero: call rs_trainer_init or rs_trainer_set_parameters. */
RS_API rs_status rs_trainer_create(const rs_trainer_options* options, rs_trainer** trainer);
RS_API void rs_trainer_destroy(rs_trainer* trainer); /* null is allowed */

RS_API int64_t rs_trainer_parameter_count(const rs_trainer* trainer);

/* What computes a step on `batch` rows, in a word; batch >= 1. CPU: "small-network", "row" or "batch"; CUDA:
 * "persistent", "fused", "fused-tf32" or "layered". It depends on the network, the optimizer and the batch alone. */
RS_API const char* rs_trainer_path(const rs_trainer* trainer, int64_t batch);

/* Weights and biases uniform in +-1/sqrt(fan_in), as torch.nn.Linear, from Philox4x32-10 keyed by
 * `seed`: the same values on every machine. Forgets the optimizer's state. */
RS_API rs_status rs_trainer_init(rs_trainer* trainer, uint64_t seed);

/* `count` must be rs_trainer_parameter_count. Setting forgets the optimizer's state. */
RS_API rs_status rs_trainer_get_parameters(const rs_trainer* trainer, float* parameters, int64_t count);
RS_API rs_status rs_trainer_set_parameters(rs_trainer* trainer, const float* parameters, int64_t count);

/* From the next step on; the optimizer's state is kept. */
RS_API rs_status rs_trainer_set_learning_rate(rs_trainer* trainer, double lr);

/* Length of the optimizer's moments: 0 for SGD without momentum; rs_trainer_parameter_count for SGD with
 * momentum, whose buffer b it is; twice that for Adam and AdamW, the mean gradient m before the mean squared
 * gradient v, each in the layout of the parameters. */
RS_API int64_t rs_trainer_state_count(const rs_trainer* trainer);

/* The optimizer's state. With the parameters it is all that the next step depends on: set both, the
 * parameters first as they forget the state, and training goes on with the same bits. `count` must be
 * rs_trainer_state_count; `moments` may be null if that is 0. */
RS_API rs_status rs_trainer_get_state(const rs_trainer* trainer, float* moments, int64_t count,
                                      rs_optimizer_state* state);
RS_API rs_status rs_trainer_set_state(rs_trainer* trainer, const float* moments, int64_t count,
                                      const rs_optimizer_state* state);

/* One step on x [rows, inputs] and y [rows, outputs]; rows >= 1. A non-finite loss gives
 * RS_NON_FINITE and changes nothing. */
RS_API rs_status rs_trainer_step(rs_trainer* trainer, const float* x, const float* y, int64_t rows);

/* The mean loss of the last step, before its update; NaN before the first one. */
RS_API double rs_trainer_loss(const rs_trainer* trainer);

/* The gradient of the mean loss, in the layout of the parameters, and the mean loss; no update. */
RS_API rs_status rs_trainer_gradient(rs_trainer* trainer, const float* x, const float* y, int64_t rows,
                                     float* gradient, int64_t count, double* loss);

/* Trains from the position in `fit` on; see rs_fit. RS_NON_FINITE stops before the step whose loss
 * was not finite: `fit->steps` steps are applied. */
RS_API rs_status rs_trainer_fit(rs_trainer* trainer, const rs_dataset* dataset, rs_fit* fit);

/* Mean loss over all rows; no update. `target_scale` as in rs_fit. On CUDA a dataset with sample weights is
 * RS_INVALID_ARGUMENT, as it is for rs_trainer_fit. */
RS_API rs_status rs_trainer_evaluate(rs_trainer* trainer, const rs_dataset* dataset,
                                     const float* target_scale, double* loss);

/* y [rows, outputs] = the network's answer to x [rows, inputs]; rows >= 0. */
RS_API rs_status rs_trainer_predict(rs_trainer* trainer, const float* x, int64_t rows, float* y);

/* Ends a fit under way, on all ranks after the same step; from any thread. It holds until it is taken back with
 * stop = 0. */
RS_API void rs_trainer_stop(rs_trainer* trainer, int32_t stop);
/* As rs_trainer_predict, then the probabilities that the outputs stand for: with RS_BCE each output's 1 / (1 + exp(-z)),
 * with RS_CROSS_ENTROPY exp(z_c) / sum over k of exp(z_k). With other losses, the answer itself. */
RS_API rs_status rs_trainer_probabilities(rs_trainer* trainer, const float* x, int64_t rows, float* y);

/* The average that a fit keeps (rs_average), for a checkpoint: [parameters], and how many parameters it is of, 0 where
 * there is none and `average` is left alone. `count` must be rs_trainer_parameter_count. */
RS_API rs_status rs_trainer_get_average(const rs_trainer* trainer, float* average, int64_t count, int64_t* averaged);
RS_API rs_status rs_trainer_set_average(rs_trainer* trainer, const float* average, int64_t count, int64_t averaged);

/* Exchanges the parameters and their average; refused where there is none. Everything else is kept, the optimizer's
 * state too. */
RS_API rs_status rs_trainer_swap_average(rs_trainer* trainer);

/* The order in which a shuffled epoch visits the rows: order[i] for i in [0, rows). */
RS_API rs_status rs_shuffle_order(uint64_t seed, int64_t epoch, int64_t rows, int64_t* order);

/* ---- ranks: trainers of one network on several threads, processes or hosts ---- */

/* How gradients are summed across ranks. Exactly: the parameters have the same bits for any number of ranks. As
 * floats: fewer bytes travel, but the bits depend on the number of ranks. */
typedef enum rs_reduce { RS_REDUCE_EXACT = 0, RS_REDUCE_FLOAT = 1 } rs_reduce;

typedef enum rs_element { RS_FLOAT32_SUM = 0, RS_FLOAT64_SUM = 1, RS_INT64_SUM = 2 } rs_element;

/* The rank that the last failing call of this thread found to blame; -1 where there is none. */
RS_API int32_t rs_last_error_rank(void);

/* Communicators of `size` threads of this process: communicators[r] is for the thread of rank r. */
RS_API rs_status rs_local_communicators_create(int32_t size, double deadline_seconds, rs_communicator** communicators);

/* Listens for other ranks on a port of the system's choice, at a numeric address of this host. */
RS_API rs_status rs_tcp_listener_create(const char* host, rs_tcp_listener** listener);
RS_API int32_t rs_tcp_listener_port(const rs_tcp_listener* listener);
RS_API void rs_tcp_listener_destroy(rs_tcp_listener* listener); /* null is allowed */

/* Connects the ranks by TCP, and returns when this one has all of its connections. `addresses` is where each rank
 * listens, in their order, one "host port" a line, the host numeric. Only who knows `key`, of key_bytes bytes, can
 * take part. */
RS_API rs_status rs_tcp_communicator_create(const rs_tcp_listener* listener, int32_t rank, int32_t size,
                                            const char* addresses, const void* key, int64_t key_bytes,
                                            double deadline_seconds, rs_communicator** communicator);

/* The ranks of MPI's world, where mpirun or the like has started this process. Open MPI's or MPICH's library is
 * loaded by the first of these calls, and MPI initialized unless it is; once a process. */
RS_API rs_status rs_mpi_communicator_create(double deadline_seconds, rs_communicator** communicator);
RS_API const char* rs_mpi_version(void); /* of the library that would be used; empty, and rs_last_error() says why, if none */

/* NCCL, for ranks that are GPUs: loaded from `file`, or where it is null from what RINGSTEP_NCCL_LIBRARY names, or
 * else from where the system's loader finds libnccl.so.2. Once a process; needs no GPU. */
RS_API rs_status rs_nccl_load(const char* file);
RS_API rs_status rs_nccl_version(int32_t* version); /* 23007 for 2.30.7; loads it where that was not done */
RS_API rs_status rs_nccl_has_windows(int32_t* has); /* 1 from 2.27 on: what it sums lies in memory that it knows */
RS_API rs_status rs_nccl_unique_id(void* id);       /* [128] bytes: made by one rank, needed by all */

/* A rank that is the GPU `device`, connected by NCCL to the others, which all call this with the same id at the same time.
 * Needs the CUDA engine. Trainers on that GPU sum their gradients in its memory. */
RS_API rs_status rs_nccl_communicator_create(const void* id, int32_t device, int32_t rank, int32_t size, double deadline_seconds,
                                             rs_communicator** communicator);

RS_API const char* rs_communicator_name(const rs_communicator* communicator); /* "local", "tcp", "mpi" or "nccl" */
RS_API int32_t rs_communicator_rank(const rs_communicator* communicator);
RS_API int32_t rs_communicator_size(const rs_communicator* communicator);

/* values[i] = the sum over ranks, the same bits on every rank; `element` is an rs_element. */
RS_API rs_status rs_communicator_all_reduce(rs_communicator* communicator, void* values, int64_t count, int32_t element);
RS_API rs_status rs_communicator_all_reduce_floats(rs_communicator* communicator, float* values, int64_t count);
RS_API rs_status rs_communicator_broadcast(rs_communicator* communicator, void* bytes, int64_t count, int32_t root);
RS_API rs_status rs_communicator_barrier(rs_communicator* communicator);

/* How many seconds one of `sums` all-reduces of `bytes` of floats takes, one right behind the other: of values that lie
 * where the communicator's trainers have them, with NCCL in the GPU's memory. 0 for one rank. All ranks call it. */
RS_API rs_status rs_communicator_time_sums(rs_communicator* communicator, int64_t bytes, int64_t sums, double* seconds);

/* Ends an operation under way and all later ones, on this rank and, as soon as they hear of it, on the others. From
 * any thread; waits for nobody. The first reason counts. */
RS_API void rs_communicator_abort(rs_communicator* communicator, int32_t culprit, const char* reason);

/* Leaves the others, and frees everything; no trainer may use it any more. Null is allowed. */
RS_API void rs_communicator_destroy(rs_communicator* communicator);

/* From the next step on the trainer is one of the communicator's ranks; null makes it alone again. The communicator
 * must outlive that. With NCCL all ranks call it together: they agree on the networks and on `reduce` there.
 *
 * All ranks make the same calls on their trainers, with the same data: every one has all rows, and shares of a batch
 * are the library's business. Batches of at least two blocks of 64 rows are shared out, by blocks; the gradients are
 * summed. What is smaller is computed by every rank, to the same bits, which is quicker than to ask others. evaluate
 * and predict are each rank's own. */
RS_API rs_status rs_trainer_set_communicator(rs_trainer* trainer, rs_communicator* communicator, int32_t reduce);

/* ---- ensembles: many models of one shape, trained side by side ----
 *
 * Model k has the same bits as a trainer with its settings that does the same: any number of models,
 * threads and instruction sets changes the time alone. A model whose loss is not finite stops before
 * that step and stays as it is, while the others go on; rs_ensemble_failures says which and when. */

typedef struct rs_ensemble rs_ensemble;

/* Zero it, then fill in what is not 0. */
typedef struct rs_ensemble_options {
  rs_trainer_options model;   /* what every model is made of; `threads` bounds those of the ensemble */
  int32_t models;             /* from 1 to 1000000 */
  const double* lr;           /* [models], or null: each that of `model` */
  const double* momentum;     /* [models], or null */
  const double* weight_decay; /* [models], or null */
  const uint64_t* dropout_seeds; /* [models], or null */
} rs_ensemble_options;

typedef enum rs_exchange {
  RS_EXCHANGE_NEVER = 0,
  /* Local SGD: whenever every model has done exchange_every more steps, or all its steps, and at the end, every
   * model takes the mean of all parameters. Models that stopped, and the optimizers' states, have no part in it. */
  RS_EXCHANGE_AVERAGE = 1,
  /* Data-parallel training: all models start from model 0, with its optimizer's state, and share out every
   * step's rows; the blocks' gradients are added exactly. So all models stay equal, and equal to one trainer. */
  RS_EXCHANGE_GRADIENT = 2
} rs_exchange;

/* How an ensemble is fitted. Zero it, fill in the first block, and call rs_ensemble_fit with it until
 * `done` is 1. */
typedef struct rs_ensemble_run {
  const int64_t* first_rows;      /* [models], or null: each model trains on rows of its own, from this one on ... */
  const int64_t* row_counts;      /* [models]: ... so many, at least 1; null where first_rows is */
  int32_t exchange;               /* rs_exchange */
  int64_t exchange_every;         /* steps between two averages, at least 1 */
  const double* exchange_weights; /* [models], what each counts in the mean, at least 0; null: all the same */
  double seconds;                 /* return after about so long; 0 means no limit */

  int64_t exchanges; /* done so far: zero at the start */
  int64_t epochs;    /* whole ones that all models, of all ranks, have done: zero at the start. Counted where they exchange
                        gradients, or averages with a pause after every epoch */
  int64_t steps;     /* of all models together, in all calls: zero at the start */
  int32_t done;      /* 1 once every model is done or has stopped; where ranks exchange, every model of all ranks */
  int32_t stopped;   /* 1 where it ended because of rs_ensemble_stop, on this rank or on another */
} rs_ensemble_run;

/* All parameters are zero: call rs_ensemble_init or rs_ensemble_set_parameters. */
RS_API rs_status rs_ensemble_create(const rs_ensemble_options* options, rs_ensemble** ensemble);
RS_API void rs_ensemble_destroy(rs_ensemble* ensemble); /* null is allowed */

RS_API int32_t rs_ensemble_models(const rs_ensemble* ensemble);
RS_API int64_t rs_ensemble_parameter_count(const rs_ensemble* ensemble); /* of one model */

/* seeds [models]. As rs_trainer_init, for each; stopped models start anew. */
RS_API rs_status rs_ensemble_init(rs_ensemble* ensemble, const uint64_t* seeds);

/* Of model `model`. Setting forgets its optimizer's state; a stopped model starts anew. */
RS_API rs_status rs_ensemble_get_parameters(rs_ensemble* ensemble, int32_t model, float* parameters, int64_t count);
RS_API rs_status rs_ensemble_set_parameters(rs_ensemble* ensemble, int32_t model, const float* parameters, int64_t count);

/* lr [models], from the next step on. */
RS_API rs_status rs_ensemble_set_learning_rates(rs_ensemble* ensemble, const double* lr);

/* One step of every model on the same rows. */
RS_API rs_status rs_ensemble_step(rs_ensemble* ensemble, const float* x, const float* y, int64_t rows);

/* losses [models]: of each model's last step, before its update; NaN before the first one. */
RS_API rs_status rs_ensemble_losses(rs_ensemble* ensemble, double* losses);

/* steps [models]: 0 for a model that trains; for one that stopped, the 1-based number of the step whose
 * loss was not finite, of all since its parameters were set. */
RS_API rs_status rs_ensemble_failures(rs_ensemble* ensemble, int64_t* steps);

/* fits [models]: what each model does and how far it has come, as for rs_trainer_fit, but that `losses`
 * has room for all epochs, entry e for epoch e, and that `seconds` and `step_limit` are ignored. A model whose
 * `losses_capacity` is above 0 pauses when so many of its epochs have ended in this call. Models are not kept in step
 * except by exchanges. Those that are averaged pause together: where `losses_capacity` is 1, all of them and of all ranks do
 * after every epoch, and run->epochs has become one more then. For that, and for averages of the parameters (rs_average),
 * all of them must have as many rows and the same batch, epochs and capacity. */
RS_API rs_status rs_ensemble_fit(rs_ensemble* ensemble, const rs_dataset* dataset, rs_fit* fits, rs_ensemble_run* run);

/* From the next fit on, exchanges reach over the models of all ranks' ensembles; null: over this one's alone. The
 * communicator must outlive that. Without exchanges it has no effect.
 *
 * All ranks call rs_ensemble_fit alike until `done` or `stopped` is 1, with the same exchange, and with a number of models
 * of each rank's own. The mean of all ranks' models has the same bits however they are shared out; gradients are
 * exchanged from model 0 of rank 0 on, with the same fit, rows and optimizer on all ranks. */
RS_API rs_status rs_ensemble_set_communicator(rs_ensemble* ensemble, rs_communicator* communicator);

/* Ends a fit under way that exchanges with other ranks, on all of them; from any thread. It holds until it is taken back
 * with stop = 0. */
RS_API void rs_ensemble_stop(rs_ensemble* ensemble, int32_t stop);

/* losses [models]: the mean loss of each over its rows, all of them where first_rows is null; NaN over no rows, which are
 * allowed here. No update. target_scales [models, outputs], or null. */
RS_API rs_status rs_ensemble_evaluate(rs_ensemble* ensemble, const rs_dataset* dataset, const int64_t* first_rows,
                                      const int64_t* row_counts, const float* target_scales, double* losses);

/* What a fit of one model does between two epochs, for those whose which[k], of [models], is not 0, between two calls of
 * rs_ensemble_fit.
 *
 * validate: losses[k], of [models], as rs_ensemble_evaluate, but with the average of the parameters where the fit keeps
 * one; the others' stay as they are. keep: keeps a copy of these parameters until the next fit begins. take: at the end
 * of a fit, the parameters that were kept are the model's again, and its optimizer begins anew; where none were, the
 * average and the parameters change places, if the fit keeps one.
 *
 * Where the last fit exchanged, all models are one in this, without a model having changed: validate is of what model 0 is,
 * with gradients exchanged, or of the mean, as an exchange would take it, of all models that have not stopped, those of all
 * ranks, or of the averages that they keep. first_rows must then be null. keep keeps what was validated last. take gives
 * what was kept, or where nothing was, the mean as it is then. With averages exchanged all ranks call the same of these, even
 * one whose models have all stopped. */
RS_API rs_status rs_ensemble_validate(rs_ensemble* ensemble, const rs_dataset* dataset, const int64_t* first_rows,
                                      const int64_t* row_counts, const float* target_scales, const int32_t* which,
                                      double* losses);
RS_API rs_status rs_ensemble_keep(rs_ensemble* ensemble, const int32_t* which);
RS_API rs_status rs_ensemble_take(rs_ensemble* ensemble, const int32_t* which);

/* The mean of losses, [models], over the models that have not stopped, those of all ranks where they exchange averages, which
 * all call it: to 48 bits, the same however they are shared out. NaN where all have stopped. */
RS_API rs_status rs_ensemble_mean_loss(rs_ensemble* ensemble, const double* losses, double* mean);

/* y [models, rows, outputs] = every model's answer to x [rows, inputs]; rows >= 0. */
RS_API rs_status rs_ensemble_predict(rs_ensemble* ensemble, const float* x, int64_t rows, float* y);

#ifdef __cplusplus
}
#endif
#endif /* RINGSTEP_H */
