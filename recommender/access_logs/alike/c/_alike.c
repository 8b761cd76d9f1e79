/* Lines of a log -> kinds of lines that agree in all that is needed, and how often each comes.
 *
 * What is needed is said from outside, as a cut of lines of text or as keys of flat JSON objects;
 * see text_cuts.py and json_keys.py. Nothing here knows what a line means: the first line of each
 * kind is read as any other line is, and so is every line that no cut fits.
 *
 * All text is hostile. Every pointer stays between the begin and the end of its line, but that a
 * whole block may be read or written where less is wanted: PADDING bytes lie behind every text.
 * Lines whose keys collide too often are of no kind.
 *
 * text.h          text that is looked at, and text that grows
 * wanted.h        what is to be found
 * found.h         what is found
 * marks.h         where signs stand in a line
 * values.h        values -> keys
 * text_lines.h    lines of text -> keys
 * json_lines.h    flat JSON -> keys
 * kinds.h         keys -> kinds and rows
 * lines.h         stored lines -> kinds
 * sections.h      sections of files -> lines
 * arrow.h         what was found -> tables
 */
#define PY_SSIZE_T_CLEAN
#include "arrow.h"
#include "sections.h"

static int take_text(Span *text, PyObject *bytes)
{
    char *from;
    Py_ssize_t length;
    if (PyBytes_AsStringAndSize(bytes, &from, &length) < 0)
        return 0;
    uint8_t *at = PyMem_Calloc(1, (size_t)length + PADDING);
    if (!at)
        return PyErr_NoMemory() != NULL;
    memcpy(at, from, (size_t)length);
    *text = (Span){at, at + length};
    return 1;
}

static int take_literal(Literal *literal, PyObject *bytes)
{
    if (!take_text(&literal->text, bytes))
        return 0;
    Span text = literal->text;
    size_t length = length_of(text);
    if (memchr(text.at, '\n', length)) {
        PyErr_SetString(PyExc_ValueError, "this is nothing between values");
        return 0;
    }
    memset(&literal->mask, 0xff, sizeof literal->mask);
    if (length < sizeof literal->mask)
        memset((uint8_t *)&literal->mask + length, 0, sizeof literal->mask - length);
    memcpy(&literal->word, text.at, sizeof literal->word);
    literal->word &= literal->mask;
    return 1;
}

static int is_in_range(Py_ssize_t value, Py_ssize_t most, const char *what)
{
    if (value >= 0 && value <= most)
        return 1;
    PyErr_Format(PyExc_ValueError, "%s is not between 0 and %zd", what, most);
    return 0;
}

/* Allocate room for the items of a tuple, filled with zeros. */
static void *room_for(PyObject *items, size_t size)
{
    if (!PyTuple_Check(items)) {
        PyErr_SetString(PyExc_TypeError, "a tuple is wanted");
        return NULL;
    }
    void *room = PyMem_Calloc((size_t)PyTuple_GET_SIZE(items) + 1, size);
    return room ? room : PyErr_NoMemory();
}

/* Find the class of the bytes that have the same high half and some low ones; a new one if that is
 * not known. The number of classes, if there can be no more. */
static int class_of(uint16_t lows, uint16_t *known)
{
    int class = 0;
    while (class < CLASSES && known[class] && known[class] != lows)
        class++;
    if (class < CLASSES)
        known[class] = lows;
    return class;
}

/* Say as a set which bytes a value may not hold. What it cannot hold anyway is not looked for. */
static void take_wrong(ByteSet *wrong, const uint8_t *signs)
{
    uint16_t known[CLASSES] = {0};
    for (int high = 0; high < NIBBLES; high++) {
        uint16_t lows = 0;
        for (int low = 0; low < NIBBLES; low++)
            lows |= (uint16_t)((signs[high * NIBBLES + low] == MAY_NOT_BE) << low);
        if (!lows)
            continue;
        int class = class_of(lows, known);
        if (class == CLASSES)
            return;
        wrong->high[high] = (uint8_t)(1 << class);
        for (int low = 0; low < NIBBLES; low++)
            wrong->low[low] |= (uint8_t)((lows >> low & 1) << class);
    }
    wrong->is_said = 1;
}

static int take_signs(Value *value, const char *signs, Py_ssize_t length)
{
    if (!signs)
        return 1;
    if (!is_in_range(length - 256, 0, "the length of signs less 256"))
        return 0;
    value->signs = PyMem_Malloc(256);
    if (!value->signs)
        return PyErr_NoMemory() != NULL;
    memcpy(value->signs, signs, 256);
    take_wrong(&value->wrong, value->signs);
    return 1;
}

static int take_value_of(Value *value, PyObject *source)
{
    const char *signs;
    Py_ssize_t length;
    PyObject *behind;
    int sign, other_sign, first;
    if (!PyArg_ParseTuple(source, "iz#iipiSi", &value->action, &signs, &length, &sign, &other_sign,
                          &value->is_path, &first, &behind, &value->more) ||
        !is_in_range(value->action, ACTIONS - 1, "an action") ||
        !is_in_range(sign, 255, "a sign") || !is_in_range(other_sign, 255, "a sign") ||
        !is_in_range(first, UINT8_MAX, "a place") || !take_signs(value, signs, length))
        return 0;
    value->sign = (uint8_t)sign;
    value->other_sign = (uint8_t)other_sign;
    value->first = (uint8_t)first;
    value->is_any = value->action == SKIPPED && !signs;
    return take_literal(&value->behind, behind);
}

/* Count the signs of a cut in a text. */
static int marks_in(Span text, const Signs *signs)
{
    int marks = 0;
    for (; text.at < text.end; text.at++)
        for (int i = 0; i < signs->count; i++)
            marks += *text.at == signs->signs[i].bytes[0];
    return marks;
}

static void count_marks(Cut *cut)
{
    cut->marks_before = marks_in(cut->begin.text, &cut->signs);
    for (Value *value = cut->values; value < cut->end; value++) {
        Span rest = value->behind.text;
        size_t first = value->is_path ? 0 : value->first;
        rest.at += first < length_of(rest) ? first : length_of(rest);
        value->marks_behind = marks_in(rest, &cut->signs);
    }
}

static int take_cut(Cut *cut, PyObject *source)
{
    PyObject *begin, *values;
    const char *signs;
    Py_ssize_t length;
    if (!PyArg_ParseTuple(source, "y#SO", &signs, &length, &begin, &values) ||
        !is_in_range(length - 1, MOST_SIGNS - 1, "the number of signs less 1"))
        return 0;
    for (; cut->signs.count < length; cut->signs.count++)
        cut->signs.signs[cut->signs.count] = sign_of((uint8_t)signs[cut->signs.count]);
    cut->values = cut->end = room_for(values, sizeof *cut->values);
    if (!cut->values || !take_literal(&cut->begin, begin))
        return 0;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(values); i++)
        if (!take_value_of(cut->end++, PyTuple_GET_ITEM(values, i)))
            return 0;
    count_marks(cut);
    return 1;
}

static int take_key(Key *key, PyObject *source)
{
    PyObject *name;
    if (!PyArg_ParseTuple(source, "Si", &name, &key->action) ||
        !is_in_range(key->action, ACTIONS - 1, "an action") || !take_text(&key->name, name))
        return 0;
    size_t length = length_of(key->name);
    memcpy(key->start, key->name.at, sizeof key->start);
    key->beyond = length < sizeof key->start ? ~(uint32_t)0 << length : 0;
    return 1;
}

static int take_all(Alike *self, PyObject *cuts, PyObject *keys)
{
    self->cuts = room_for(cuts, sizeof *self->cuts);
    self->known = self->cuts ? room_for(keys, sizeof *self->known) : NULL;
    if (!self->known || !is_in_range(PyTuple_GET_SIZE(cuts), MOST_CUTS, "the number of cuts") ||
        !is_in_range(PyTuple_GET_SIZE(keys), MOST_KEYS, "the number of keys"))
        return 0;
    if (!reserve(&self->key, MOST_KEY))
        return PyErr_NoMemory() != NULL;
    self->cut_count = PyTuple_GET_SIZE(cuts);
    self->known_end = self->known + PyTuple_GET_SIZE(keys);
    for (Key *key = self->known; key <= self->known_end; key++) {
        key->number = (uint8_t)(key - self->known);
        key->follower = self->known;
    }
    for (Py_ssize_t i = 0; i < self->cut_count; i++)
        if (!take_cut(&self->cuts[i], PyTuple_GET_ITEM(cuts, i)))
            return 0;
    for (Key *key = self->known; key < self->known_end; key++)
        if (!take_key(key, PyTuple_GET_ITEM(keys, key->number)))
            return 0;
    return 1;
}

static int has_wide_blocks(void)
{
#ifdef HAS_WIDE
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("popcnt");
#else
    return 0;
#endif
}

static PyObject *alike_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    PyObject *cuts, *keys;
    static char *names[] = {"cuts", "keys", "is_portable", NULL};
    int is_portable = 0;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OO|p", names, &cuts, &keys, &is_portable))
        return NULL;
    Alike *self = (Alike *)type->tp_alloc(type, 0);
    if (self)
        self->is_portable = is_portable || !has_wide_blocks();
    if (self && !take_all(self, cuts, keys))
        Py_CLEAR(self);
    return (PyObject *)self;
}

static void free_cut(Cut *cut)
{
    for (Value *value = cut->values; value < cut->end; value++) {
        PyMem_Free(value->signs);
        PyMem_Free((void *)value->behind.text.at);
    }
    PyMem_Free(cut->values);
    PyMem_Free((void *)cut->begin.text.at);
}

static void alike_free(PyObject *object)
{
    Alike *self = (Alike *)object;
    PyTypeObject *type = Py_TYPE(object);
    for (Py_ssize_t i = 0; i < self->cut_count; i++)
        free_cut(&self->cuts[i]);
    for (Key *key = self->known; key < self->known_end; key++)
        PyMem_Free((void *)key->name.at);
    PyMem_Free(self->cuts);
    PyMem_Free(self->known);
    PyMem_RawFree(self->places);
    Buffer *buffers[] = {&self->text, &self->key,  &self->keys, &self->kinds,
                         &self->rows, &self->lines, &self->texts};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        release(buffers[i]);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyObject *alike_add(PyObject *object, PyObject *args)
{
    Alike *self = (Alike *)object;
    Py_buffer data;
    long long number;
    int64_t next;
    if (!PyArg_ParseTuple(args, "y*L", &data, &number))
        return NULL;
    Span span = {data.buf, (Text)data.buf + data.len};
    Py_BEGIN_ALLOW_THREADS
    next = add_lines(self, span, number);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&data);
    return next < 0 ? PyErr_NoMemory() : PyLong_FromLongLong(next - number);
}

static PyObject *alike_add_section(PyObject *object, PyObject *args)
{
    Alike *self = (Alike *)object;
    Section section = {.number = 1};
    long long begin, end;
    Py_ssize_t most;
    int has_memory;
    if (!PyArg_ParseTuple(args, "iLLn", &section.file, &begin, &end, &most))
        return NULL;
    section.most = most < 0 ? 0 : (size_t)most;
    section.is_inside = begin > 0;
    section.at = begin - section.is_inside; /* a line begins there if a line feed is before it */
    section.end = end;
    Py_BEGIN_ALLOW_THREADS
    has_memory = add_section(self, &section);
    Py_END_ALLOW_THREADS
    if (!has_memory)
        return PyErr_NoMemory();
    if (section.is_inside)
        section.at = begin;
    return Py_BuildValue("LL", (long long)(section.number - 1), (long long)section.at);
}

static PyObject *alike_merge(PyObject *object, PyObject *args)
{
    Alike *self = (Alike *)object, *other;
    long long before;
    if (!PyArg_ParseTuple(args, "O!L", Py_TYPE(object), &other, &before))
        return NULL;
    if (other == self || other->is_taken || other->file) {
        PyErr_SetString(PyExc_ValueError, "lines of one file can be merged, before any is taken");
        return NULL;
    }
    if (!merge_lines(self, other, before))
        return PyErr_NoMemory();
    if (other->goes_on != UNKNOWN)
        self->goes_on = other->goes_on;
    Py_RETURN_NONE;
}

static PyObject *alike_begin_inside(PyObject *object, PyObject *Py_UNUSED(nothing))
{
    ((Alike *)object)->goes_on = UNKNOWN;
    Py_RETURN_NONE;
}

static PyObject *alike_end_file(PyObject *object, PyObject *Py_UNUSED(nothing))
{
    Alike *self = (Alike *)object;
    self->goes_on = 0;
    self->file++;
    self->first_row = row_count(self);
    Py_RETURN_NONE;
}

static PyObject *alike_take_tables(PyObject *object, PyObject *Py_UNUSED(nothing))
{
    Alike *self = (Alike *)object;
    PyObject *lines = capsules_of(table_of_lines(self));
    PyObject *rows = lines ? capsules_of(table_of_rows(self)) : NULL;
    PyObject *both = rows ? PyTuple_Pack(2, lines, rows) : NULL;
    Py_XDECREF(lines);
    Py_XDECREF(rows);
    if (both)
        forget_lines(self);
    return both;
}

static PyObject *alike_forget(PyObject *object, PyObject *Py_UNUSED(nothing))
{
    Alike *self = (Alike *)object;
    if (row_count(self)) {
        PyErr_SetString(PyExc_ValueError, "rows are to be taken before their kinds are forgotten");
        return NULL;
    }
    forget_kinds(self);
    Py_RETURN_NONE;
}

static PyObject *alike_clear(PyObject *object, PyObject *Py_UNUSED(nothing))
{
    Alike *self = (Alike *)object;
    forget_lines(self);
    forget_kinds(self);
    self->goes_on = self->is_taken = 0;
    self->last_cut = 0;
    Py_RETURN_NONE;
}

static PyObject *alike_line_bytes(PyObject *object, void *Py_UNUSED(nothing))
{
    Alike *self = (Alike *)object;
    return PyLong_FromSize_t(self->texts.length + self->lines.length);
}

static PyObject *alike_rows(PyObject *object, void *Py_UNUSED(nothing))
{
    return PyLong_FromSize_t(row_count((Alike *)object));
}

static PyObject *alike_kinds(PyObject *object, void *Py_UNUSED(nothing))
{
    return PyLong_FromSize_t(kind_count((Alike *)object));
}

static PyObject *alike_kind_bytes(PyObject *object, void *Py_UNUSED(nothing))
{
    Alike *self = (Alike *)object;
    return PyLong_FromSize_t(self->keys.length + self->kinds.length);
}

static PyMethodDef alike_methods[] = {
    {"add", alike_add, METH_VARARGS, "Add the lines of a piece of a file; the first has a number."},
    {"add_section", alike_add_section, METH_VARARGS,
     "Add lines of an open file between two of its bytes, until those to look at take so many bytes:"
     " how many, and where it goes on."},
    {"take_tables", alike_take_tables, METH_NOARGS,
     "Give lines to look at, and rows, and forget them: each a schema and an array of Arrow."},
    {"forget", alike_forget, METH_NOARGS, "Forget the kinds of lines."},
    {"clear", alike_clear, METH_NOARGS, "Forget everything."},
    {"merge", alike_merge, METH_VARARGS, "Add the lines of a file that follow so many others."},
    {"begin_inside", alike_begin_inside, METH_NOARGS, "Say that the lines are not a file's first."},
    {"end_file", alike_end_file, METH_NOARGS, "Say that what comes is of another file."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef alike_members[] = {
    {"line_bytes", alike_line_bytes, NULL, "How many bytes the lines to look at take.", NULL},
    {"rows", alike_rows, NULL, "How many rows there are.", NULL},
    {"kinds", alike_kinds, NULL, "How many kinds of lines are known.", NULL},
    {"kind_bytes", alike_kind_bytes, NULL, "How many bytes these take.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot alike_slots[] = {
    {Py_tp_doc, "Sum up lines that agree in all that is needed."},
    {Py_tp_new, alike_new},
    {Py_tp_dealloc, alike_free},
    {Py_tp_methods, alike_methods},
    {Py_tp_getset, alike_members},
    {0, NULL},
};

static PyType_Spec alike_spec = {
    .name = "recommender.access_logs.alike._alike.Alike",
    .basicsize = sizeof(Alike),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_BASETYPE,
    .slots = alike_slots,
};

static int fill_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &alike_spec, NULL);
    int filled = type ? PyModule_AddObjectRef(module, "Alike", type) : -1;
    Py_XDECREF(type);
    return filled;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, fill_module},
    {0, NULL},
};

static PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_alike",
    .m_doc = "Lines that agree in all that is needed, summed up.",
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__alike(void) { return PyModuleDef_Init(&module); }

