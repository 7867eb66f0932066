"""The prepared data set: what every network is trained, validated and tested on.

<folder>/split.json                    patient -> train, validation or test
<folder>/<part>/images/<name>.png      8-bit greyscale, input_size_px on a side
<folder>/<part>/lesions/<name>.png     1-bit mask of the lesions; ellipses inside their boxes if no mask is known
<folder>/<part>/labels/<name>.txt      YOLO boxes (class x y w h, 0..1 of the image); empty for no tumour
<folder>/<part>.txt                    the images that detectors learn from: without tumours that have no box
<folder>/manifest.jsonl                one Example per line
<folder>/backgrounds/<name>.npz        tumour-free slices of the training part: `training/prepared/epochs.py`
<folder>/real_lesions.jsonl            boxes of reviewed real lesions (type unknown) of held-out patients
<folder>/real/<name>.png               the slices that show them
<folder>/provenance.txt                where the slices come from
<folder>/limits.txt                    what a network trained on them cannot claim, one sentence per line
"""
