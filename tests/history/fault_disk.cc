#include "tests/history/fault_disk.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <utility>

namespace couplingd {
namespace {

constexpr std::int64_t kSector = 512;

// The disk on which this thread's databases lie.
thread_local FaultDisk* disk_of_thread = nullptr;

sqlite3_vfs* Default() {
  static sqlite3_vfs* const found = sqlite3_vfs_find(nullptr);
  return found;
}

// What SQLite sees as an open file; SQLite's own follows it in memory.
struct File {
  sqlite3_file base;
  FaultDisk* disk;
  std::string* path;
};

File* Own(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
sqlite3_file* Real(sqlite3_file* file) { return reinterpret_cast<sqlite3_file*>(Own(file) + 1); }

}  // namespace

struct FaultDiskAccess {
  using Verdict = FaultDisk::Verdict;
  using Undo = FaultDisk::Undo;

  static FaultDisk& Disk(sqlite3_file* file) { return *Own(file)->disk; }

  static int Close(sqlite3_file* file) {
    const int code =
        Real(file)->pMethods == nullptr ? SQLITE_OK : Real(file)->pMethods->xClose(Real(file));
    delete Own(file)->path;
    return code;
  }

  static int Read(sqlite3_file* file, void* into, int bytes, sqlite3_int64 offset) {
    if (Disk(file).is_down_) return SQLITE_IOERR_READ;
    return Real(file)->pMethods->xRead(Real(file), into, bytes, offset);
  }

  static std::int64_t Size(sqlite3_file* file) {
    sqlite3_int64 size = 0;
    Real(file)->pMethods->xFileSize(Real(file), &size);
    return size;
  }

  // What lies in the range, as far as the file reaches.
  static std::string Held(sqlite3_file* file, std::int64_t offset, std::int64_t length) {
    const std::int64_t held = std::clamp<std::int64_t>(Size(file) - offset, 0, length);
    std::string before(static_cast<std::size_t>(held), '\0');
    if (held > 0) {
      Real(file)->pMethods->xRead(Real(file), before.data(), static_cast<int>(held), offset);
    }
    return before;
  }

  static int Write(sqlite3_file* file, const void* from, int bytes, sqlite3_int64 offset) {
    FaultDisk& disk = Disk(file);
    if (disk.is_down_) return SQLITE_IOERR_WRITE;
    const Verdict verdict = disk.Judge();
    if (verdict == Verdict::kFull) return SQLITE_FULL;
    // A write that does not come to its end leaves a part of itself.
    const int written = verdict == Verdict::kGoOn
                            ? bytes
                            : static_cast<int>(disk.random_() % static_cast<unsigned>(bytes + 1));
    Undo undo{offset, written, Held(file, offset, written), Size(file), 0};
    undo.size_after = std::max<std::int64_t>(undo.size_before, offset + written);
    if (written > 0) {
      const int code = Real(file)->pMethods->xWrite(Real(file), from, written, offset);
      if (code != SQLITE_OK) return code;
      disk.Remember(*Own(file)->path, std::move(undo));
    }
    return verdict == Verdict::kGoOn ? SQLITE_OK : SQLITE_IOERR_WRITE;
  }

  static int Truncate(sqlite3_file* file, sqlite3_int64 size) {
    FaultDisk& disk = Disk(file);
    if (disk.is_down_ || disk.Judge() != Verdict::kGoOn) return SQLITE_IOERR_TRUNCATE;
    const std::int64_t now = Size(file);
    Undo undo{size, std::max<std::int64_t>(now - size, 0), Held(file, size, now - size), now, size};
    const int code = Real(file)->pMethods->xTruncate(Real(file), size);
    if (code == SQLITE_OK) disk.Remember(*Own(file)->path, std::move(undo));
    return code;
  }

  static int Sync(sqlite3_file* file, int flags) {
    FaultDisk& disk = Disk(file);
    if (disk.is_down_ || disk.Judge() != Verdict::kGoOn) return SQLITE_IOERR_FSYNC;
    const int code = Real(file)->pMethods->xSync(Real(file), flags);
    if (code == SQLITE_OK) disk.unsynced_.erase(*Own(file)->path);
    return code;
  }

  static int FileSize(sqlite3_file* file, sqlite3_int64* size) {
    if (Disk(file).is_down_) return SQLITE_IOERR_FSTAT;
    return Real(file)->pMethods->xFileSize(Real(file), size);
  }
  static int Lock(sqlite3_file* file, int level) {
    return Real(file)->pMethods->xLock(Real(file), level);
  }
  static int Unlock(sqlite3_file* file, int level) {
    return Real(file)->pMethods->xUnlock(Real(file), level);
  }
  static int CheckReservedLock(sqlite3_file* file, int* held) {
    return Real(file)->pMethods->xCheckReservedLock(Real(file), held);
  }

  // "PRAGMA synchronous = FULL" is swallowed where the control asks for NORMAL, which was set when
  // the database was opened.
  static int FileControl(sqlite3_file* file, int operation, void* argument) {
    if (operation == SQLITE_FCNTL_PRAGMA && Disk(file).options_.normal_synchronous) {
      char** const words = static_cast<char**>(argument);
      const bool asks_full = ::strcasecmp(words[1], "synchronous") == 0 && words[2] != nullptr &&
                             ::strcasecmp(words[2], "FULL") == 0;
      if (asks_full) return SQLITE_OK;
    }
    return Real(file)->pMethods->xFileControl(Real(file), operation, argument);
  }
  static int SectorSize(sqlite3_file* file) {
    return Real(file)->pMethods->xSectorSize(Real(file));
  }
  static int DeviceCharacteristics(sqlite3_file* file) {
    return Real(file)->pMethods->xDeviceCharacteristics(Real(file));
  }
  static int ShmMap(sqlite3_file* file, int page, int bytes, int extend, void volatile** into) {
    return Real(file)->pMethods->xShmMap(Real(file), page, bytes, extend, into);
  }
  static int ShmLock(sqlite3_file* file, int offset, int count, int flags) {
    return Real(file)->pMethods->xShmLock(Real(file), offset, count, flags);
  }
  static void ShmBarrier(sqlite3_file* file) { Real(file)->pMethods->xShmBarrier(Real(file)); }
  static int ShmUnmap(sqlite3_file* file, int remove) {
    return Real(file)->pMethods->xShmUnmap(Real(file), remove);
  }

  static const sqlite3_io_methods* Methods() {
    static const sqlite3_io_methods methods = {2,
                                               Close,
                                               Read,
                                               Write,
                                               Truncate,
                                               Sync,
                                               FileSize,
                                               Lock,
                                               Unlock,
                                               CheckReservedLock,
                                               FileControl,
                                               SectorSize,
                                               DeviceCharacteristics,
                                               ShmMap,
                                               ShmLock,
                                               ShmBarrier,
                                               ShmUnmap,
                                               nullptr,
                                               nullptr};
    return &methods;
  }

  static int Open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    FaultDisk* const disk = disk_of_thread;
    if (disk == nullptr) return Default()->xOpen(Default(), name, file, flags, out_flags);
    file->pMethods = nullptr;
    if (disk->is_down_) return SQLITE_IOERR;
    Own(file)->disk = disk;
    Real(file)->pMethods = nullptr;
    const int code = Default()->xOpen(Default(), name, Real(file), flags, out_flags);
    if (code != SQLITE_OK) return code;
    Own(file)->path = new std::string(name == nullptr ? "" : name);
    file->pMethods = Methods();
    return SQLITE_OK;
  }

  // Deletions are journalled by the file system: they are there or not, and here they are at once.
  static int Delete(sqlite3_vfs*, const char* name, int sync_directory) {
    FaultDisk* const disk = disk_of_thread;
    if (disk == nullptr) return Default()->xDelete(Default(), name, sync_directory);
    if (disk->is_down_ || disk->Judge() != Verdict::kGoOn) return SQLITE_IOERR_DELETE;
    disk->unsynced_.erase(name);
    return Default()->xDelete(Default(), name, sync_directory);
  }

  static int Prepare(sqlite3* handle, char**, const sqlite3_api_routines*) {
    if (disk_of_thread == nullptr || !disk_of_thread->options_.normal_synchronous) return SQLITE_OK;
    sqlite3_exec(handle, "PRAGMA synchronous = NORMAL", nullptr, nullptr, nullptr);
    return SQLITE_OK;
  }

  static void Register() {
    static sqlite3_vfs vfs = *Default();
    vfs.zName = "fault-disk";
    vfs.szOsFile = static_cast<int>(sizeof(File)) + Default()->szOsFile;
    vfs.pNext = nullptr;
    vfs.xOpen = Open;
    vfs.xDelete = Delete;
    sqlite3_vfs_register(&vfs, 1);
    using Entry = int (*)(sqlite3*, char**, const sqlite3_api_routines*);
    const Entry entry = Prepare;
    sqlite3_auto_extension(reinterpret_cast<void (*)()>(entry));
  }
};

FaultDisk::FaultDisk(const FaultDiskOptions& options) : options_(options), random_(options.seed) {
  static std::once_flag registered;
  std::call_once(registered, FaultDiskAccess::Register);
  disk_of_thread = this;
}

FaultDisk::~FaultDisk() { disk_of_thread = nullptr; }

FaultDisk::Verdict FaultDisk::Judge() {
  if (left_ > 0 && --left_ == 0) is_down_ = true;
  if (is_down_) return Verdict::kDown;
  if (error_rate_ <= 0) return Verdict::kGoOn;
  const double drawn = static_cast<double>(random_() >> 11) * 0x1p-53;
  if (drawn >= error_rate_) return Verdict::kGoOn;
  ++errors_;
  return random_() % 2 == 0 ? Verdict::kFull : Verdict::kBroken;
}

void FaultDisk::Restart(bool lose) {
  if (lose) {
    for (const auto& [path, writes] : unsynced_) LoseSomeOf(path, writes);
    unsynced_.clear();
  }
  is_down_ = false;
  left_ = 0;
}

// Each sector ends as it was after some of the writes to it: none, all or a part of them. So does
// the size. A truncation is journalled: it is there with all that came before it, or neither it
// nor anything after it is.
void FaultDisk::LoseSomeOf(const std::string& path, const std::vector<Undo>& writes) {
  const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0 || writes.empty()) return;
  enum {
    kAllLost,
    kAllKept,
    kTorn
  } const fate = std::array{kAllLost, kAllKept, kTorn, kTorn}[random_() % 4];
  // All before `floor` is kept, all from `count` on is lost; between them is no truncation.
  std::uint64_t floor = 0;
  std::uint64_t count = writes.size();
  for (std::uint64_t i = 0; fate == kTorn && i < count; ++i) {
    if (writes[i].size_after >= writes[i].size_before) continue;
    if (random_() % 2 == 0) {
      count = i;
    } else {
      floor = i + 1;
    }
  }
  std::map<std::int64_t, std::uint64_t> kept;  // by sector: so many of the writes reached it
  const auto draw = [&] {
    if (fate == kAllLost) return std::uint64_t{0};
    return fate == kAllKept ? count : floor + random_() % (count - floor + 1);
  };
  const auto kept_of = [&](std::int64_t sector) {
    const auto [entry, is_new] = kept.emplace(sector, 0);
    if (is_new) entry->second = draw();
    return entry->second;
  };
  for (std::uint64_t i = writes.size(); i-- > 0;) {
    const Undo& undo = writes[i];
    for (std::int64_t at = undo.offset; at < undo.offset + undo.length;) {
      const std::int64_t end = std::min((at / kSector + 1) * kSector, undo.offset + undo.length);
      if (i >= kept_of(at / kSector)) {
        std::string piece(static_cast<std::size_t>(end - at), '\0');
        const std::int64_t held =
            static_cast<std::int64_t>(undo.before.size()) - (at - undo.offset);
        if (held > 0)
          undo.before.copy(piece.data(), static_cast<std::size_t>(std::min(held, end - at)),
                           static_cast<std::size_t>(at - undo.offset));
        (void)!::pwrite(file, piece.data(), piece.size(), at);
        ++writes_lost_;
      }
      at = end;
    }
  }
  const std::uint64_t reached = draw();
  const std::int64_t size =
      reached == 0 ? writes.front().size_before : writes[reached - 1].size_after;
  (void)!::ftruncate(file, size);
  ::close(file);
}

std::string CheckIntegrity(const std::string& database) {
  sqlite3* handle = nullptr;
  std::string answer = "cannot be opened";
  if (sqlite3_open_v2(database.c_str(), &handle, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK) {
    const auto take = [](void* into, int, char** texts, char**) {
      *static_cast<std::string*>(into) = texts[0];
      return 1;  // the first line is enough
    };
    sqlite3_exec(handle, "PRAGMA integrity_check", take, &answer, nullptr);
  }
  sqlite3_close_v2(handle);
  return answer;
}

}  // namespace couplingd
